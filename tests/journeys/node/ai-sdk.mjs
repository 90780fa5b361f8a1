// Vercel's AI SDK: a tool loop of three turns with each of its providers that takes an address, whole and streamed.
// node ai-sdk.mjs ADDRESS KEY MODEL PROVIDER  -> one line of JSON with the final text of each run
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { generateText, streamText, tool, jsonSchema, stepCountIs } = require("ai");
const [address, apiKey, name, provider] = process.argv.slice(2);
const baseURL = `${address}/v1`;
const MODELS = {
  openai: () => require("@ai-sdk/openai").createOpenAI({ baseURL, apiKey })(name),
  chat: () => require("@ai-sdk/openai").createOpenAI({ baseURL, apiKey }).chat(name),
  anthropic: () => require("@ai-sdk/anthropic").createAnthropic({ baseURL, apiKey })(name),
  google: () => require("@ai-sdk/google").createGoogleGenerativeAI({ baseURL: `${address}/v1beta`, apiKey })(name),
  "openai-compatible": () => require("@ai-sdk/openai-compatible").createOpenAICompatible({ name: "conduit", baseURL, apiKey })(name),
  deepseek: () => require("@ai-sdk/deepseek").createDeepSeek({ baseURL, apiKey })(name),
  xai: () => require("@ai-sdk/xai").createXai({ baseURL, apiKey })(name),
  mistral: () => require("@ai-sdk/mistral").createMistral({ baseURL, apiKey })(name),
};
const inputSchema = jsonSchema({
  type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false,
});
const weather = tool({ description: "The weather.", inputSchema, execute: async ({ city }) => `sunny in ${city}` });
const model = MODELS[provider]();
const ask = { model, prompt: "weather in Bern and Oslo?", tools: { weather }, stopWhen: stepCountIs(4), maxRetries: 0 };

const texts = [(await generateText(ask)).text];
let streamed = "";
for await (const piece of streamText({ ...ask, onError: ({ error }) => { throw error; } }).textStream) streamed += piece;
console.log(JSON.stringify([...texts, streamed]));
