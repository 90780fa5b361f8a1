# The headless gateway. Give it a volume for its home, and a master key and a vault passphrase from the outside:
#   docker build -t conduit-desktop .
#   docker run -p 5000:5000 -v conduit:/home/conduit/data -e CONDUIT_MASTER_KEY -e CONDUIT_VAULT_KEY conduit-desktop
FROM python:3.12-slim

WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY conduit_desktop conduit_desktop
COPY resources resources
# The lock's versions as constraints: an image without the desktop needs a small part of them.
RUN sed -e '/--hash=/d' -e 's/ *\\$//' requirements.lock > /tmp/versions.txt \
    && pip install --no-cache-dir -c /tmp/versions.txt '.[speed]' \
    && useradd --create-home conduit \
    && install -d -o conduit -m 700 /home/conduit/data

USER conduit
WORKDIR /home/conduit
ENV CONDUIT_HOME=/home/conduit/data CONDUIT_HOST=0.0.0.0 CONDUIT_SECRETS=vault
EXPOSE 5000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=3)"]
ENTRYPOINT ["conduit-desktop", "serve"]
