// Verifies requests with the library of the Standard Webhooks project: a JSON object a line comes in (`secret`, `headers`,
// `body` in base64), and a line goes out for each, "accepted" or "refused".
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64").toString("utf8"), headers);
    console.log("accepted");
  } catch {
    console.log("refused");
  }
}
