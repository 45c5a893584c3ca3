/**
 * The outside's name server, which knows no name: `no-names.ts <address>`. Without it each unknown name inside a
 * container takes ten seconds to fail, as it would nowhere else.
 */
import { createSocket } from "node:dgram";
import process from "node:process";

const header = 12;
const [address = "127.0.0.1"] = process.argv.slice(2);

/** The question's own bytes, as an answer with the code "no such name". */
function refuse(query: Buffer): Buffer {
  let end = header;
  while (end < query.length && query[end] !== 0) end += (query[end] ?? 0) + 1;
  const answer = Buffer.from(query.subarray(0, end + 5)); // the name's last byte, type, class
  answer[2] = 0x80 | ((query[2] ?? 0) & 0x79); // an answer; the operation and "recursion desired" as asked
  answer[3] = 0x83; // recursion available; no such name
  answer.fill(0, 6, header); // no answer, authority or additional records
  return answer;
}

const server = createSocket("udp4");
server.on("message", (query, from) => {
  if (query.length > header) server.send(refuse(query), from.port, from.address);
});
server.bind(53, address);
