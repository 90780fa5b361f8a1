// OpenAI's Agents SDK for Node: a tool loop of three turns over Responses, over chat, and over Responses on a WebSocket.
// node agents.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each run
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const agents = require("@openai/agents");
const OpenAI = require("openai").default ?? require("openai");
const { z } = require("zod");
const [address, apiKey, model] = process.argv.slice(2);
globalThis.WebSocket ??= require("ws"); // Node 20 has none of its own
agents.setTracingDisabled(true);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
const weather = agents.tool({
  name: "weather", description: "The weather.", parameters: z.object({ city: z.string() }), execute: async ({ city }) => `sunny in ${city}`,
});

async function run(chosen, stream) {
  const agent = new agents.Agent({ name: "a", instructions: "You help.", tools: [weather], model: chosen });
  const result = await agents.run(agent, "weather in Bern?", { stream });
  if (stream) await result.completed;
  return result.finalOutput;
}

const texts = [];
const kinds = [new agents.OpenAIResponsesModel(client, model), new agents.OpenAIChatCompletionsModel(client, model)];
for (const chosen of kinds) texts.push(await run(chosen, false), await run(chosen, true));
if (agents.OpenAIResponsesWSModel) texts.push(await run(new agents.OpenAIResponsesWSModel(client, model), true));
console.log(JSON.stringify(texts));
process.exit(0);
