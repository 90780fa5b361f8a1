// OpenAI's SDK for Node: a tool loop over Responses, streamed and on the response before.
// node openai-responses.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of the model
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const OpenAI = require("openai").default ?? require("openai");
const [address, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", name: "weather", description: "The weather.", parameters, strict: true }];

const first = await client.responses.stream({ model, input: "weather in Bern?", tools }).finalResponse();
const call = first.output.find((item) => item.type === "function_call");
const output = `sunny in ${JSON.parse(call.arguments).city}`;
const input = [{ type: "function_call_output", call_id: call.call_id, output }];
const second = await client.responses.create({ model, input, previous_response_id: first.id, tools });
console.log(JSON.stringify([second.output_text]));
