// LangChain for Node: a tool loop of three turns over chat, Responses and messages.
// node langchain.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each loop
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { ChatOpenAI } = require("@langchain/openai");
const { ChatAnthropic } = require("@langchain/anthropic");
const { createAgent, tool } = require("langchain");
const { z } = require("zod");
const [address, apiKey, model] = process.argv.slice(2);
const configuration = { baseURL: `${address}/v1` };
const weather = tool(({ city }) => `sunny in ${city}`, {
  name: "weather", description: "The weather.", schema: z.object({ city: z.string() }),
});
const models = [
  new ChatOpenAI({ model, apiKey, configuration, maxRetries: 0, useResponsesApi: false }),
  new ChatOpenAI({ model, apiKey, configuration, maxRetries: 0, useResponsesApi: true }),
  new ChatAnthropic({ model, apiKey, anthropicApiUrl: address, maxTokens: 2000, maxRetries: 0 }),
];

const texts = [];
for (const llm of models) {
  const agent = createAgent({ model: llm, tools: [weather] });
  const { messages } = await agent.invoke({ messages: [{ role: "user", content: "weather in Bern?" }] });
  texts.push(messages.at(-1).text);
  let last;
  for await (const [mode, state] of await agent.stream(
    { messages: [{ role: "user", content: "weather in Bern?" }] }, { streamMode: ["messages", "values"] },
  )) if (mode === "values") last = state.messages.at(-1);
  texts.push(last.text);
}
console.log(JSON.stringify(texts));
