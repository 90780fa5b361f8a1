#!/bin/sh
# Over the admin API: a key with a budget and a limit, a budget for its team, and what was spent.
# CONDUIT_MASTER_KEY is what `conduit-desktop master-key show` prints.
set -eu
URL=${CONDUIT_URL:-http://127.0.0.1:5000} MODEL=${CONDUIT_MODEL:-demo}

admin() { # METHOD PATH [JSON]
  curl -fsS --noproxy '*' -X "$1" "$URL/admin/v1$2" -H "Authorization: Bearer $CONDUIT_MASTER_KEY" \
    -H 'Content-Type: application/json' ${3:+-d "$3"}
  echo
}

admin POST /budgets '{"name": "research in total", "scope": "team", "target": "research", "limit_usd": 100, "period": "monthly"}'
KEY=$(admin POST /keys "{\"name\": \"notebook\", \"team\": \"research\", \"models\": [\"$MODEL\"], \"budget_usd\": 5, \"budget_period\": \"monthly\", \"rpm\": 60}" |
  sed 's/.*"key": *"\(condt_[^"]*\)".*/\1/')

curl -fsS --noproxy '*' "$URL/v1/chat/completions" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
  -d "{\"model\": \"$MODEL\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}"
echo

admin GET /keys/notebook
admin GET '/usage?group_by=key,model'
