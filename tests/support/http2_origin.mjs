// Serves FOLDER/served/clip.mp4, whole or a range of it: node http2_origin.mjs FOLDER PORT
import { createSecureServer } from "node:http2";
import { readFileSync } from "node:fs";

const [folder, port] = process.argv.slice(2);
const body = readFileSync(`${folder}/served/clip.mp4`);
const server = createSecureServer({
  key: readFileSync(`${folder}/key.pem`),
  cert: readFileSync(`${folder}/certificate.pem`),
  allowHTTP1: true,
});
server.on("request", (request, response) => {
  const found = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "");
  const begin = found ? (found[1] === "" ? body.length - Number(found[2]) : Number(found[1])) : 0;
  const end = found && found[1] !== "" && found[2] !== "" ? Math.min(Number(found[2]) + 1, body.length) : body.length;
  const head = { "content-type": "video/mp4", "accept-ranges": "bytes", "content-length": end - begin };
  if (found) head["content-range"] = `bytes ${begin}-${end - 1}/${body.length}`;
  response.writeHead(found ? 206 : 200, head);
  response.end(request.method === "HEAD" ? undefined : body.subarray(begin, end));
});
server.listen(Number(port), "127.0.0.1");
