// Claude's Agent SDK for Node with a tool of its own MCP server: a loop of three turns with partial messages.
// node claude-agent.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.cwd(), "package.json"));
const sdk = await import(pathToFileURL(require.resolve("@anthropic-ai/claude-agent-sdk")).href);
const { z } = require("zod");
const [address, key, model] = process.argv.slice(2);
const weather = sdk.tool("weather", "The weather.", { city: z.string() }, async ({ city }) => (
  { content: [{ type: "text", text: `sunny in ${city}` }] }
));
const names = ["ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"];
const options = {
  model, maxTurns: 6, includePartialMessages: true, settingSources: [], allowedTools: ["mcp__own__weather"],
  mcpServers: { own: sdk.createSdkMcpServer({ name: "own", version: "1.0.0", tools: [weather] }) },
  env: {
    // Else its own search tool has to find those of MCP servers first.
    ...process.env, ENABLE_TOOL_SEARCH: "false", ANTHROPIC_BASE_URL: address, ANTHROPIC_AUTH_TOKEN: key, ...Object.fromEntries(names.map((name) => [name, model])),
  },
};
let text = "";
for await (const message of sdk.query({ prompt: "weather in Bern?", options })) if (message.type === "result") text = message.result;
console.log(JSON.stringify([text]));
process.exit(0);
