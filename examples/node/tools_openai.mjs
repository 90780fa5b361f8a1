// The model calls a function, and answers with what it returned, with OpenAI's SDK.
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo/demo-tools";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const weather = ({ city }) => `Sunny in ${city}, 21 degrees.`;
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather in a city.", parameters } }];
const messages = [{ role: "user", content: "What is the weather in Bern?" }];
const first = (await client.chat.completions.create({ model, messages, tools })).choices[0].message;
messages.push(first);
for (const call of first.tool_calls ?? []) {
  console.log(`${call.function.name}(${call.function.arguments})`);
  messages.push({ role: "tool", tool_call_id: call.id, content: weather(JSON.parse(call.function.arguments)) });
}
console.log((await client.chat.completions.create({ model, messages, tools })).choices[0].message.content);
