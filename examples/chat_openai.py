"""The OpenAI SDK against a gateway: models, one answer, one stream with usage. Needs `pip install openai`."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("SLUICE_URL", "http://127.0.0.1:8080/v1"), api_key="any")
print("models:", ", ".join(model.id for model in client.models.list()))

messages = [{"role": "user", "content": "Where is my parcel?"}]
answer = client.chat.completions.create(model="auto", messages=messages, max_tokens=40)
print("expert:", answer.model, "| tokens:", answer.usage.total_tokens, "| cost:", answer.sluice["cost_nanousd"], "nano-USD")

stream = client.chat.completions.create(
    model="auto", messages=messages, max_tokens=40, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
    if chunk.usage:
        print("\nstream usage:", chunk.usage.total_tokens)
