// A webhook receiver: verifies, answers the challenge, handles each message once.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secrets = process.env.TOCSIN_WEBHOOK_SECRET.split(" ").map((text) => Buffer.from(text.slice(6), "base64"));
const handled = new Set(); // your database, so that it survives a restart

function verified(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!id || id.includes(".") || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const given = (headers["webhook-signature"] ?? "").split(" ").slice(0, 16).filter((one) => one.startsWith("v1,"));
  return secrets.some((secret) => {
    const expected = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest();
    return given.some((one) => {
      const signature = Buffer.from(one.slice(3), "base64");
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    });
  });
}

createServer((request, response) => {
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size > 65536) request.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const body = Buffer.concat(chunks); // the bytes as they came: parsed and printed again, they do not verify
    if (request.method !== "POST" || !verified(request.headers, body)) return response.writeHead(401).end();
    const event = JSON.parse(body.toString("utf8"));
    if (event.type === "endpoint.verification") {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ challenge: event.data.challenge }));
    }
    const id = request.headers["webhook-id"];
    if (!handled.has(id)) {
      console.log(event.type, id); // your code; answer 500 if it fails, and the hub sends the event again
      handled.add(id);
    }
    return response.writeHead(204).end();
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
