// OpenAI's SDK for Node: its own tool runner over chat completions, whole and streamed.
// node openai-chat.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each run
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const OpenAI = require("openai").default ?? require("openai");
const [address, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "weather", description: "The weather.", parameters, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` };
const run = (stream) => client.chat.completions.runTools({
  model, stream, messages: [{ role: "user", content: "weather in Bern?" }], tools: [{ type: "function", function: weather }],
}).finalContent();

console.log(JSON.stringify([await run(false), await run(true)]));
