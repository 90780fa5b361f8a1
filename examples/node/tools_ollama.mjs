// The model calls a function, and answers with what it returned, with Ollama's SDK.
import { Ollama } from "ollama";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo/demo-tools";
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${process.env.CONDUIT_KEY}` } });

const weather = ({ city }) => `Sunny in ${city}, 21 degrees.`;
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather in a city.", parameters } }];
const messages = [{ role: "user", content: "What is the weather in Bern?" }];
const { message } = await client.chat({ model, messages, tools });
messages.push(message);
for (const { function: call } of message.tool_calls ?? []) {
  console.log(`${call.name}(${JSON.stringify(call.arguments)})`);
  messages.push({ role: "tool", tool_name: call.name, content: weather(call.arguments) });
}
console.log((await client.chat({ model, messages, tools })).message.content);
