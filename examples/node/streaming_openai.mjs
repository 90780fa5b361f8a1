// An answer, word by word, with OpenAI's SDK.
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const stream = await client.chat.completions.create({ model, stream: true, messages: [{ role: "user", content: "Say hello in one sentence." }] });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
console.log();
