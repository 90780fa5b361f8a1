// The model calls a function, and answers with what it returned, with Anthropic's SDK.
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo/demo-tools";
const client = new Anthropic({ baseURL: url, authToken: process.env.CONDUIT_KEY, apiKey: null });

const weather = ({ city }) => `Sunny in ${city}, 21 degrees.`;
const text = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "weather", description: "The weather in a city.", input_schema }];
const messages = [{ role: "user", content: "What is the weather in Bern?" }];
const first = await client.messages.create({ model, max_tokens: 1024, messages, tools });
const calls = first.content.filter((block) => block.type === "tool_use");
for (const call of calls) console.log(`${call.name}(${JSON.stringify(call.input)})`);
const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: weather(call.input) }));
messages.push({ role: "assistant", content: first.content }, { role: "user", content: results });
console.log(text(await client.messages.create({ model, max_tokens: 1024, messages, tools })));
