"""A web endpoint that streams: a model breaks in mid-sentence, and another one goes on.

The models are langchain-openai's ChatOpenAI over real HTTP, to a local server that plays both of
them; start the endpoint in your project with ``uvicorn module:app``. It prints:

    200 text/event-stream; charset=utf-8
    The| tide| comes| in| twice| a| day.|[DONE]
    large was shown: The tide comes
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_openai import ChatOpenAI

from langchain_sls import ChatSLS
from sls_plugins import Budget, Candidate, Settings, build
from sls_plugins.testing.openai import Fault, OpenAIServer, Reply

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5, usd=10.0),  # thrifty, and never more than ten dollars in all
    encoder="hashing",  # needs no weights; leave this line out for the better default
)


def endpoint(chat: ChatSLS) -> FastAPI:
    """The web application."""
    app = FastAPI()

    @app.get("/ask")
    async def ask(question: str, user: str = "") -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            # A client that leaves closes this stream: what was said until then is settled.
            async for chunk in chat.astream(question, sls_tenant=user):
                if chunk.text:
                    yield f"data: {chunk.text}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


async def main(server: OpenAIServer) -> None:
    """Ask the endpoint as a browser would."""
    async with httpx.AsyncClient() as wire:
        models = {
            name: ChatOpenAI(
                model=name, base_url=server.url, api_key="none", http_async_client=wire
            )
            for name in ("small", "large")
        }
        with build(settings) as engine:
            chat = ChatSLS(engine, models, takeovers=1, deadline_s=30)
            transport = httpx.ASGITransport(app=endpoint(chat))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as browser:
                page = await browser.get("/ask", params={"question": "What of the tide?"})
    print(page.status_code, page.headers["content-type"])
    events = page.text.strip().split("\n\n")
    print("|".join(event.removeprefix("data: ") for event in events))


with OpenAIServer() as server:
    server.script("small", Reply(text="The tide comes in twice a day.", fault=Fault.CUT, after=3))
    server.script("large", Reply(text=" in twice a day."))
    asyncio.run(main(server))
    print(f"large was shown: {server.asked('large')[0].messages[1]['content']}")
