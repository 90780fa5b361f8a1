// The official OpenAI SDK for Node against a gateway: whole, streamed, a tool loop, a picture, and a refusal.
// node openai.mjs BASE_URL KEY MODEL  -> one line of JSON with what the SDK saw
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const OpenAI = require("openai").default ?? require("openai");
const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters: schema } }];
const user = (content) => ({ role: "user", content });

const whole = await client.chat.completions.create({ model, messages: [user("hello node")] });

let streamed = "";
let finish = null;
for await (const chunk of await client.chat.completions.create({ model, messages: [user("hello stream")], stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  finish = chunk.choices[0]?.finish_reason ?? finish;
}

const talk = [user("weather in Bern?")];
const toolAnswer = (await client.chat.completions.create({ model, messages: talk, tools })).choices[0].message;
talk.push({ role: "assistant", tool_calls: toolAnswer.tool_calls });
for (const call of toolAnswer.tool_calls) talk.push({ role: "tool", tool_call_id: call.id, content: "sunny, 21 degrees" });
const final = await client.chat.completions.create({ model, messages: talk, tools });

const seen = await client.chat.completions.create({
  model,
  messages: [user([{ type: "text", text: "look" }, { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } }])],
});

let refused = 0;
try {
  await new OpenAI({ baseURL, apiKey: "condt_" + "x".repeat(43), maxRetries: 0 }).chat.completions.create({ model, messages: talk });
} catch (error) {
  refused = error.status;
}
console.log(JSON.stringify({
  whole: whole.choices[0].message.content, tokens: whole.usage.total_tokens, streamed, finish,
  tool: toolAnswer.tool_calls[0].function.name, answer: final.choices[0].message.content, seen: seen.choices[0].message.content, refused,
}));
