"""What counts as a secret, and what does not."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from detect_secrets.plugins.keyword import DENYLIST

from agents.src.services.secrets import NAMED, looks_secret

ORDINARY = """
use argon2, not bcrypt
the client's videos are 50 fps
password must be hashed with argon2
Passwords are at least 12 characters long and are never logged.
password: must be hashed before it is stored
the password is argon2id-hashed by then
Password hashing: argon2id with the defaults of argon2-cffi
The login form has the fields `email` and `password`.
the JSON schema says "password": "string"
`password = None` means that the user logs in with a passkey
The password is in 1Password, in the vault "Staging".
password=${DB_PASSWORD} is filled in by the deploy job
api_key = os.environ["SERVICE_API_KEY"]
the API key is read from QDRANT_API_KEY
secret: see the vault
Secrets belong into the Modal secret modal-invoke-database, never into info.md
The token is sent in the header Authorization: Bearer <token>
Tokens expire after 30 days; the refresh token after 90.
the session token is base64url encoded and 43 characters long
the client_secret is rotated on the first of each month
DATABASE_URL looks like postgresql://user:password@localhost:5432/app
connect with postgresql://${DB_USER}:${DB_PASSWORD}@db.internal/app
The regression came with commit 283045d1f0e9c8b7a6958473625140f3e2d1c0b9.
bisecting showed 34cf3d5 as the first bad commit
commit 94e25bf fixed the race in the worker
the image digest is sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
the lock file has "integrity": "sha512-JZ7Z8kS1vS1m6nT0wqk2mB5cT7hT9pQf0L3sX8yR2dE4gK6jM9vN1bV3cX5zA7qWeRtYuIoPaSdFgHjKlZxCvBn=="
md5 of the fixture: d41d8cd98f00b204e9800998ecf8427e
the test tenant is 6f1c2a9e-3b47-4d58-9c0a-7e2f5b8d1c34
task 01kagq8s5c2v8m3r7x9t4n6w0z shows how it looked
the Modal call fc-01KAGQ8S5C2V8M3R7X9T4N6W0Z never came back
The style guide is at https://docs.google.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgVE2upms/edit
see https://github.com/example/project/blob/283045d1f0e9c8b7a6958473625140f3e2d1c0b9/src/app.py#L10-L42
Dashboards: https://grafana.example.com/d/000000012/api-latency?orgId=1&from=now-6h&to=now
the API answers at https://api.example.com/v2/customers/12345/invoices?page=2&per_page=100
the staging server is 203.0.113.17, port 8443
uses Python 3.12.7, FastAPI 0.165.0 and PostgreSQL 18.1
pin numpy==2.5.5, pandas>=2.2,<3
node v22.11.0 with pnpm@9.15.4+sha256
agents/src/services/claude_environment.py finds the program
/var/lib/postgresql/18/main/pg_wal fills up at night
C:\\Users\\build\\AppData\\Local\\Programs\\Python\\Python312\\python.exe
tests/services/test_claude_code.py::test_a_rehearsal_of_planning_writes_the_plan_and_says_that_it_was_one
com.example.billing.invoices.InvoiceNumberGeneratorFactoryBean makes the numbers
AbstractSingletonProxyFactoryBeanConfigurationV2Test is flaky on Mondays
the flag is `enableExperimentalServerComponentsV2ForAllTenants`
the CSS class is 'btn-primary-large-rounded-2xl-shadow'
The env variable is MODAL_INVOKE_MAX_FILE_BYTES, default 1073741824.
invoices are numbered INV-2026-000123 to INV-2026-999999
IBAN checks use modulo 97; the example is DE89370400440532013000
the customer's phone format is +49 30 901820
encode with ffmpeg -c:v libx264 -crf 18 -preset slow -pix_fmt yuv420p -movflags +faststart
Use `git log --oneline --graph --decorate` to see the branches.
cron runs at 17 3 * * 1-5 in Europe/Berlin
the font is "Source Sans 3", weights 400 and 600
Colours: #1a2b3c for text, #ffcc00 for warnings
the deploy key is ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHq0b3p0ZkYwQmZ1Y2tleWZvcnRlc3RpbmdvbmwX ci
the idempotency key is the SHA-256 of the request's body
primary key: (tenant_id, invoice_number)
sort key: created_at descending, then id
The secret of good plans: write the tests first.
keyboard shortcuts: Ctrl+Shift+P opens the palette
Die Kundin möchte Rechnungen als PDF/A-3, nicht als PDF 1.7.
顧客の動画は毎秒50フレームです
"Measure twice, cut once", says the README
The author's e-mail is hidden: ask the office for it
the queue holds at most 10_000 messages of 256 KiB
retry after 429 with Retry-After, at most 5 times
""".strip().split("\n")


# In pieces, so that nobody who looks for secrets stumbles over this file.
def joined(*parts: str) -> str:
    return "".join(parts)


RANDOM_40 = joined("wJalrXUtnFEMI", "K7MDENGbPxRfiCY", "zEXAMPLEKEY9")
HEX_40 = joined("5f4dcc3b5aa765d61d83", "27deb882cf99a1b2c3d4")
SECRETS = {
    "Anthropic": joined("the key is sk-", "ant-api03-", "Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0Lz"),
    "OpenAI": joined("OPENAI: sk-", "proj-", "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z"),
    "Modal id": joined("ak", "-", "Q1w2E3r4T5y6U7i8O9p0Aa"),
    "Modal secret": joined("token-secret as", "-", "Zx1Cv2Bn3Mq4We5Rt6Yu7I"),
    "modal-invoke": joined("use mi", "_", "k3J9x2LmQ8vT5nR7wZ1cB4yH6pD0sF3gA9uE"),
    "GitHub": joined("gh", "p_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    "GitHub fine-grained": joined("github", "_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz"),
    "GitLab": joined("glpat", "-", "x9Kq2LmN8vT5nR7wZ1cB"),
    "Slack": joined("xox", "b-", "2345678901-ABCdefGHIjkl"),
    "Slack webhook": joined("https://hooks.slack", ".com/services/", "T0AB12CD3/B0EF45GH6/x9Kq2LmN8vT5nR7wZ1cB4yHd"),
    "Google": joined("AIza", "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    "AWS id": joined("AKIA", "IOSFODNN7EXAMPLE"),
    "AWS key": f"aws_secret_access_key = {RANDOM_40}",
    "JWT": joined("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", ".eyJhY2Nlc3MiOiJtIn0", ".q1w2e3r4t5y6u7i8o9p0"),
    "private key": joined("-----BEGIN ", "RSA PRIVATE", " KEY-----"),
    "Stripe": joined("sk", "_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
    "npm": joined("//registry.example.com/:_auth", "Token=npm_", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"),
    "SendGrid": joined("SG", ".", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"),
    "basic auth": joined("postgresql://admin", ":hunter2x", "@db.example.com/app"),
    "assignment": joined("password", " = 'hunter2x'"),
    "shell": joined("export DB_PASSWORD", "=swordfish"),
    "YAML": joined("api_", "key: b7e1c2a94f"),
    "prose": joined("the password for staging ", "is Tr0ub4dor&3"),
    "hex": joined("api key ", HEX_40),
    "quoted": f'the header is "{RANDOM_40[:28]}4x"',
    "long": f"it wants {RANDOM_40}",
    "second line": joined("how to log in:\n- ask\n- password", "=swordfish"),
    "far behind": joined("x " * 1500, "password", "=swordfish"),
    "astride two pieces": joined("x " * 95, "password", "=swordfish"),
    "query": f"https://api.example.com/feed?sig={RANDOM_40}",
}


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_fact_is_shared(text: str) -> None:
    assert looks_secret(text) is None


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_named_and_not_repeated(kind: str) -> None:
    found = looks_secret(SECRETS[kind])
    assert found
    assert not any(len(word) > 5 and word in found for word in SECRETS[kind].split()[-1:])


def test_there_are_enough_of_both() -> None:
    assert len(ORDINARY) >= 60
    assert len(SECRETS) >= 25


@pytest.mark.parametrize("comment", ["# pragma: allowlist secret", "<!-- pragma: allowlist secret -->"])
def test_a_line_that_says_it_is_harmless_is_believed_and_only_that_line(comment: str) -> None:
    line = SECRETS["shell"]
    assert looks_secret(f"{line}  {comment}") is None
    assert looks_secret(f"{line}  {comment}\n{line}") == looks_secret(line)


def test_no_name_of_a_secret_is_passed_over() -> None:
    assert [name for name in DENYLIST if not any(stem in name for stem in NAMED)] == []
    for name in ("password", "PASSWORD", "pa\u017f\u017fword", "\u212aey_pass", "contraseña"):
        assert looks_secret(joined(name, "=swordfish")) == "password or key"


def test_any_number_of_threads_may_ask() -> None:
    texts = [*ORDINARY, *SECRETS.values()] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(looks_secret, texts))
    assert found == [looks_secret(text) for text in texts]


def test_a_text_of_any_kind_is_looked_at() -> None:
    for text in ("", "\n\n", "x" * 4000, "A1b" * 1300, "password=" * 400, "\u2028" * 100, "('\"`" * 900):
        looks_secret(text)
