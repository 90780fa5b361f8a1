// Anthropic's SDK for Node: its tool runner (beta), whole and streamed, and a loop over messages.
// node anthropic-runner.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each loop
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const Anthropic = require("@anthropic-ai/sdk").default ?? require("@anthropic-ai/sdk");
const { betaTool } = require("@anthropic-ai/sdk/helpers/beta/json-schema");
const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const inputSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = betaTool({ name: "weather", description: "The weather.", inputSchema, run: ({ city }) => `sunny in ${city}` });
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const asked = { model, max_tokens: 2000, messages: [{ role: "user", content: "weather in Bern?" }] };

const whole = await client.beta.messages.toolRunner({ ...asked, tools: [weather] });
let last;
for await (const stream of client.beta.messages.toolRunner({ ...asked, stream: true, tools: [weather] })) last = await stream.finalMessage();

const messages = [...asked.messages];
let answer;
for (;;) {
  const tools = [{ name: "weather", description: "The weather.", input_schema: inputSchema }];
  answer = await client.messages.stream({ ...asked, messages, tools, thinking: { type: "adaptive" } }).finalMessage();
  const calls = answer.content.filter((block) => block.type === "tool_use");
  if (!calls.length) break;
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: `sunny in ${call.input.city}` }));
  messages.push({ role: "assistant", content: answer.content }, { role: "user", content: results });
}
console.log(JSON.stringify([text(whole), text(last), text(answer)]));
