// An answer, word by word, with Anthropic's SDK.
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Anthropic({ baseURL: url, authToken: process.env.CONDUIT_KEY, apiKey: null });

const stream = client.messages.stream({ model, max_tokens: 1024, messages: [{ role: "user", content: "Say hello in one sentence." }] });
stream.on("text", (text) => process.stdout.write(text));
await stream.finalMessage();
console.log();
