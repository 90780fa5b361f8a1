// Vercel's AI SDK: a tool loop over Responses (its default) and chat, whole and streamed.
// node ai-sdk.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each model
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { generateText, streamText, tool, jsonSchema, stepCountIs } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const [address, apiKey, name] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: `${address}/v1`, apiKey });
const inputSchema = jsonSchema({
  type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false,
});
const weather = tool({ description: "The weather.", inputSchema, execute: async ({ city }) => `sunny in ${city}` });

const texts = [];
for (const model of [openai(name), openai.chat(name)]) {
  const ask = { model, prompt: "weather in Bern?", tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
  texts.push((await generateText(ask)).text);
  let streamed = "";
  for await (const piece of streamText({ ...ask, onError: ({ error }) => { throw error; } }).textStream) streamed += piece;
  texts.push(streamed);
}
console.log(JSON.stringify(texts));
