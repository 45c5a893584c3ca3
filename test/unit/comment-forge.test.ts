/** The one comment, kept against stand-ins for GitHub's and GitLab's APIs: neither is real. */
import { afterEach, describe, expect, test } from "@jest/globals";

import { gitHub, gitLab, put, type Forge } from "../../comment/forge.ts";
import { marker } from "../../comment/render.ts";
import { standIn, token, type StandIn } from "../support/stand-in-forge.ts";

const opened: StandIn[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

type Kind = "github" | "gitlab";

async function open(kind: Kind, me: string | null = "bot"): Promise<{ server: StandIn; forge: Forge }> {
  const server = await standIn(kind, me);
  opened.push(server);
  const at = { number: 7, token, api: server.url };
  const forge =
    kind === "github" ? gitHub({ ...at, repository: "acme/shop" }) : gitLab({ ...at, project: "acme/shop" });
  return { server, forge };
}

const writes = ({ calls }: StandIn): string[] => calls.filter((call) => !call.startsWith("GET "));
const body = (text: string): string => `${marker}\n${text}\n\n[the run](<https://example.com/1>)\n`;

describe.each<Kind>(["github", "gitlab"])("%s", (kind) => {
  test("it is made, then changed in place, and not written again where it says the same", async () => {
    const { server, forge } = await open(kind);
    expect(await put(forge, body("a"), true)).toBe("made");
    expect(await put(forge, body("b"), true)).toBe("changed");
    expect(server.comments).toEqual([{ id: 100, author: "bot", body: body("b") }]);
    const before = writes(server).length;
    // Another run is no reason, nor are the line ends that a forge may have turned.
    expect(await put(forge, body("b").replace("/1>", "/2>").replaceAll("\n", "\r\n"), true)).toBe("kept");
    expect(writes(server)).toHaveLength(before);
  });

  test("it is found on the third page, among other people's, who may have copied the marker", async () => {
    const { server, forge } = await open(kind);
    for (let id = 1; id <= 230; id++) server.comments.push({ id, author: "someone", body: body(String(id)) });
    server.comments.push({ id: 231, author: "bot", body: `a quotation: ${body("x")}` });
    server.comments.push({ id: 232, author: "bot", body: body("old") });
    expect(await put(forge, body("new"), true)).toBe("changed");
    expect(server.comments.find(({ id }) => id === 232)?.body).toBe(body("new"));
    expect(server.comments.filter((each) => each.body === body("new"))).toHaveLength(1);
    expect(server.calls.filter((call) => call.includes("page=3"))).toHaveLength(1);
  });

  test("of two that runs at once have made, one stays", async () => {
    const { server, forge } = await open(kind);
    for (const id of [5, 3, 4]) server.comments.push({ id, author: "bot", body: body(String(id)) });
    expect(await put(forge, body("new"), true)).toBe("changed");
    expect(server.comments).toEqual([{ id: 3, author: "bot", body: body("new") }]);
  });

  test("a change that touches nothing makes none, and corrects one that is there", async () => {
    const { server, forge } = await open(kind);
    expect(await put(forge, body("nothing"), false)).toBe("none");
    expect(writes(server)).toEqual([]);
    await put(forge, body("a"), true);
    expect(await put(forge, body("nothing"), false)).toBe("changed");
  });

  test("an answer that is lost makes no second one", async () => {
    const { server, forge } = await open(kind);
    server.fail("POST", { status: 502, done: true });
    expect(await put(forge, body("a"), true)).toBe("kept");
    expect(server.comments).toHaveLength(1);
  }, 20_000);

  test("a limit of calls is waited for, if it ends soon", async () => {
    const { server, forge } = await open(kind);
    server.fail("GET", { status: 429, headers: { "retry-after": "1" } });
    const began = Date.now();
    expect(await put(forge, body("a"), true)).toBe("made");
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
    server.fail("GET", { status: 429, headers: { "retry-after": "4000" }, message: "slow down" });
    await expect(put(forge, body("b"), true)).rejects.toThrow(/429 slow down: the forge's limit of calls/);
    expect(server.comments.map((each) => each.body)).toEqual([body("a")]);
  }, 20_000);

  test("a token that is wrong is an error, and no message holds it", async () => {
    const server = await standIn(kind, "bot");
    opened.push(server);
    const at = { number: 7, token: "another", api: server.url };
    const forge =
      kind === "github" ? gitHub({ ...at, repository: "acme/shop" }) : gitLab({ ...at, project: "acme/shop" });
    await expect(put(forge, body("a"), true)).rejects.toThrow(
      /^GET \/user: 401 Bad credentials: the token is not valid$/,
    );
  });
});

test("GitHub's own limit, as it says it: 403, none remaining, and when it ends", async () => {
  const { server, forge } = await open("github");
  const reset = String(Math.floor(Date.now() / 1000));
  server.fail("POST", { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset } });
  expect(await put(forge, body("a"), true)).toBe("made");
}, 20_000);

test("a fork's token may not write: the error says what to do, and nothing is tried again", async () => {
  const { server, forge } = await open("github", null);
  server.fail("POST", { status: 403, message: "Resource not accessible by integration" });
  await expect(put(forge, body("a"), true)).rejects.toThrow(/may not write comments.*pull-requests\.md/);
  expect(writes(server)).toHaveLength(1);
});

test("a workflow's own token cannot ask who it is, and is the workflows' user", async () => {
  const { server, forge } = await open("github", null);
  server.comments.push({ id: 1, author: "someone", body: body("x") });
  server.comments.push({ id: 2, author: "github-actions[bot]", body: body("x") });
  expect(await put(forge, body("a"), true)).toBe("changed");
  expect(server.comments.map((each) => each.body)).toEqual([body("x"), body("a")]);
});

test("nobody answers: it tries again, and then says why", async () => {
  const { server, forge } = await open("github");
  await server.close();
  await expect(put(forge, body("a"), true)).rejects.toThrow(/^GET \/user: no answer \(fetch failed: .*ECONNREFUSED/);
}, 30_000);

test("a token does not follow to another host", async () => {
  const { server, forge } = await open("github");
  const { server: elsewhere } = await open("github");
  server.fail("GET", { status: 307, headers: { location: `${elsewhere.url}/user` } });
  await expect(put(forge, body("a"), true)).rejects.toThrow(/307.*use its new name/);
  expect(elsewhere.calls).toEqual([]);
});
