// The official Anthropic SDK for Node against a gateway: whole, streamed, and a tool loop.
// node anthropic.mjs BASE_URL KEY MODEL  -> one line of JSON with what the SDK saw
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const Anthropic = require("@anthropic-ai/sdk").default ?? require("@anthropic-ai/sdk");
const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "weather", description: "The weather.", input_schema: schema }];
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const ask = (messages, more = {}) => ({ model, max_tokens: 200, messages, ...more });

const whole = await client.messages.create(ask([{ role: "user", content: "hello node" }]));
const streamed = await client.messages.stream(ask([{ role: "user", content: "hello stream" }])).finalMessage();

const talk = [{ role: "user", content: "weather in Bern?" }];
const toolAnswer = await client.messages.create(ask(talk, { tools }));
const call = toolAnswer.content.find((block) => block.type === "tool_use");
talk.push({ role: "assistant", content: toolAnswer.content });
talk.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny, 21 degrees" }] });
const final = await client.messages.create(ask(talk, { tools }));

let refused = 0;
try {
  await new Anthropic({ baseURL, apiKey: "condt_" + "x".repeat(43), maxRetries: 0 }).messages.create(ask(talk));
} catch (error) {
  refused = error.status;
}
console.log(JSON.stringify({
  whole: text(whole), tokens: whole.usage.input_tokens + whole.usage.output_tokens, streamed: text(streamed),
  finish: streamed.stop_reason, tool: call.name, answer: text(final), refused,
}));
