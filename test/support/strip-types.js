import { stripTypeScriptTypes } from "node:module";

/** A jest transformer: what Node does to a .ts file when it runs it. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
  getCacheKey: (source, path) => `${process.version}:${path}:${source.length}:${hash(source)}`,
};

function hash(text) {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h;
}
