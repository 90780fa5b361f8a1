// One answer, with Anthropic's SDK.
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Anthropic({ baseURL: url, authToken: process.env.CONDUIT_KEY, apiKey: null });

const answer = await client.messages.create({ model, max_tokens: 1024, messages: [{ role: "user", content: "Say hello in one sentence." }] });
console.log(answer.content.filter((block) => block.type === "text").map((block) => block.text).join(""));
