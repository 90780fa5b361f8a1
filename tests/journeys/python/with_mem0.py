"""mem0: what a model finds in a conversation is embedded, stored on this machine, and found again."""

import json
import sys
import tempfile

from mem0 import Memory

address, key, model = sys.argv[1:]
openai = {"api_key": key, "openai_base_url": f"{address}/v1"}
with tempfile.TemporaryDirectory() as folder:
    memory = Memory.from_config({
        # It knows by the model's name which models take no `max_tokens`; an alias hides the name.
        "llm": {"provider": "openai", "config": {"model": model, "is_reasoning_model": True, **openai}},
        "embedder": {"provider": "openai", "config": {"model": "to-embeddings", "embedding_dims": 3, **openai}},
        "vector_store": {"provider": "qdrant", "config": {"path": folder, "embedding_model_dims": 3, "on_disk": True}},
        "history_db_path": f"{folder}/history.db",
    })  # fmt: skip
    memory.add([{"role": "user", "content": "I live in Bern."}], user_id="me")
    found = memory.get_all(filters={"user_id": "me"})["results"]
    memory.close()
sys.stdout.write(json.dumps([each["memory"] for each in found]))
