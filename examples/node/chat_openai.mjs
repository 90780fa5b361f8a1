// One answer, with OpenAI's SDK.
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Say hello in one sentence." }] });
console.log(answer.choices[0].message.content);
