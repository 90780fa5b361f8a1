// Ollama's library for Node: a tool loop of three turns, whole and streamed.
// node ollama.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each loop
import { createRequire } from "node:module";
import path from "node:path";

const { Ollama } = createRequire(path.join(process.cwd(), "package.json"))("ollama");
const [host, key, model] = process.argv.slice(2);
const client = new Ollama({ host, headers: { Authorization: `Bearer ${key}` } });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters } }];

async function request(messages, stream) {
  const answer = await client.chat({ model, messages, tools, stream });
  if (!stream) return answer.message;
  const whole = { role: "assistant", content: "", thinking: "", tool_calls: [] };
  for await (const { message } of answer) {
    whole.content += message.content ?? "";
    whole.thinking += message.thinking ?? "";
    whole.tool_calls.push(...(message.tool_calls ?? []));
  }
  return whole;
}

async function finalText(stream) {
  const messages = [{ role: "user", content: "weather in Bern?" }];
  for (;;) {
    const answer = await request(messages, stream);
    if (!answer.tool_calls?.length) return answer.content;
    messages.push(answer);
    for (const { function: called } of answer.tool_calls) {
      messages.push({ role: "tool", tool_name: called.name, content: `sunny in ${called.arguments.city}` });
    }
  }
}

console.log(JSON.stringify([await finalText(false), await finalText(true)]));
