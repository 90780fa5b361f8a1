// OpenAI's SDK for Node: a tool loop of three turns over Responses, on the response before and with the whole history.
// node openai-responses.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each loop
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const OpenAI = require("openai").default ?? require("openai");
const [address, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", name: "weather", description: "The weather.", parameters, strict: true }];
const calls = (answer) => answer.output.filter((item) => item.type === "function_call");
const result = (call) => (
  { type: "function_call_output", call_id: call.call_id, output: `sunny in ${JSON.parse(call.arguments).city}` }
);

async function onTheResponseBefore() {
  let answer = await client.responses.stream({ model, input: "weather in Bern?", tools }).finalResponse();
  while (calls(answer).length) {
    const input = calls(answer).map(result);
    answer = await client.responses.create({ model, input, previous_response_id: answer.id, tools });
  }
  return answer.output_text;
}

async function withTheHistory() {
  const input = [{ role: "user", content: "weather in Bern?" }];
  for (;;) {
    const more = { store: false, include: ["reasoning.encrypted_content"] };
    const answer = await client.responses.stream({ model, input, tools, ...more }).finalResponse();
    if (!calls(answer).length) return answer.output_text;
    input.push(...answer.output, ...calls(answer).map(result));
  }
}

console.log(JSON.stringify([await onTheResponseBefore(), await withTheHistory()]));
