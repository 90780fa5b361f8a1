// An answer that follows a JSON schema, with Ollama's SDK.
import { Ollama } from "ollama";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${process.env.CONDUIT_KEY}` } });

const schema = {
  type: "object",
  properties: { city: { type: "string" }, country: { type: "string" } },
  required: ["city", "country"],
  additionalProperties: false,
};
const answer = await client.chat({ model, format: schema, messages: [{ role: "user", content: "Which country is Bern the capital of?" }] });
console.log(JSON.parse(answer.message.content).country);
