"""Over the admin API: a key with a budget and a limit, a budget for its team, and what was spent.

CONDUIT_MASTER_KEY is what `conduit-desktop master-key show` prints. Needs no packages.
"""

import json
import os
import urllib.request

URL = os.environ.get("CONDUIT_URL", "http://127.0.0.1:5000")
MODEL = os.environ.get("CONDUIT_MODEL", "demo")


def call(method: str, path: str, key: str, body: object = None) -> dict:
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def admin(method: str, path: str, body: object = None) -> dict:
    return call(method, f"/admin/v1{path}", os.environ["CONDUIT_MASTER_KEY"], body)


admin(
    "POST",
    "/budgets",
    {"name": "research in total", "scope": "team", "target": "research", "limit_usd": 100, "period": "monthly"},
)
limits = {"budget_usd": 5, "budget_period": "monthly", "rpm": 60}
made = admin("POST", "/keys", {"name": "notebook", "team": "research", "models": [MODEL], **limits})
print("key", made["id"])

hello = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
print(call("POST", "/v1/chat/completions", made["key"], hello)["choices"][0]["message"]["content"].splitlines()[0])

key = admin("GET", f"/keys/{made['id']}")
print(f"spent {key['spend_usd']} of {key['budget_usd']} US dollars, until {key['next_reset']}")
for row in admin("GET", "/usage?group_by=key,model")["data"]:
    print(row["key_name"], row["model"], row["requests"], "requests,", row["cost_usd"], "US dollars")
