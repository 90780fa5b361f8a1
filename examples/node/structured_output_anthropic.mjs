// An answer that follows a JSON schema, with Anthropic's SDK.
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Anthropic({ baseURL: url, authToken: process.env.CONDUIT_KEY, apiKey: null });

const schema = {
  type: "object",
  properties: { city: { type: "string" }, country: { type: "string" } },
  required: ["city", "country"],
  additionalProperties: false,
};
const text = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const answer = await client.messages.create({
  model,
  max_tokens: 1024,
  messages: [{ role: "user", content: "Which country is Bern the capital of?" }],
  output_config: { format: { type: "json_schema", schema } },
});
console.log(JSON.parse(text(answer)).country);
