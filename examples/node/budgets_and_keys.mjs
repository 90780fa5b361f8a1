// Over the admin API: a key with a budget and a limit, a budget for its team, and what was spent.
// CONDUIT_MASTER_KEY is what `conduit-desktop master-key show` prints. Needs no packages.
const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";

async function call(method, path, key, body) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
const admin = (method, path, body) => call(method, `/admin/v1${path}`, process.env.CONDUIT_MASTER_KEY, body);

const team = { scope: "team", target: "research" };
await admin("POST", "/budgets", { name: "research in total", ...team, limit_usd: 100, period: "monthly" });
const limits = { budget_usd: 5, budget_period: "monthly", rpm: 60 };
const made = await admin("POST", "/keys", { name: "notebook", team: "research", models: [model], ...limits });
console.log("key", made.id);

const hello = { model, messages: [{ role: "user", content: "Hello" }] };
const answer = await call("POST", "/v1/chat/completions", made.key, hello);
console.log(answer.choices[0].message.content.split("\n")[0]);

const key = await admin("GET", `/keys/${made.id}`);
console.log(`spent ${key.spend_usd} of ${key.budget_usd} US dollars, until ${key.next_reset}`);
for (const row of (await admin("GET", "/usage?group_by=key,model")).data)
  console.log(row.key_name, row.model, row.requests, "requests,", row.cost_usd, "US dollars");
