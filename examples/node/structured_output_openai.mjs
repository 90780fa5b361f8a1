// An answer that follows a JSON schema, with OpenAI's SDK.
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const schema = {
  type: "object",
  properties: { city: { type: "string" }, country: { type: "string" } },
  required: ["city", "country"],
  additionalProperties: false,
};
const answer = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Which country is Bern the capital of?" }],
  response_format: { type: "json_schema", json_schema: { name: "capital", strict: true, schema } },
});
console.log(JSON.parse(answer.choices[0].message.content).country);
