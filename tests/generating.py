"""Makes clients of the descriptions that providers publish, which lie beside the project."""

import json
import subprocess
import sys
from pathlib import Path

SPECS = Path(__file__).parents[2] / "shared" / "specs"


def generate(name, folder):
    """Run the generator, which has to digest every operation; return the package's name."""
    description = json.loads(published(name).read_text(encoding="utf-8"))
    REPAIRS[name](description)
    package = f"generated_{name}"
    source, settings = folder / f"{package}.json", folder / f"{package}.yml"
    source.write_text(json.dumps(description), encoding="utf-8")
    # Nobody reads the code, so that it need not be formatted.
    settings.write_text(json.dumps({"post_hooks": []}), encoding="utf-8")
    options = {"path": source, "config": settings, "output-path": folder / package, "meta": "none"}
    run = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *(f"--{option}={value}" for option, value in options.items()),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return package


def published(name):
    """Return where the description of a provider's API should be."""
    return SPECS / f"{name}.openapi.json"


def repair_clio(description):
    """Mend what the generator cannot digest, or cannot say, in Clio's description."""
    for path in description["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                # An HTTP date, as its own text says; the generator has no header of dates.
                if parameter["name"] == "IF-MODIFIED-SINCE":
                    del parameter["schema"]["format"]
    for name in ("Conversation", "ConversationMessage"):
        _, associations = description["components"]["schemas"][name]["allOf"]
        for field, schema in associations["properties"].items():
            # Nothing is described as nullable, yet there are conversations without a matter, and
            # messages without a document.
            if "$ref" in schema:
                associations["properties"][field] = {"nullable": True, "oneOf": [schema]}


def repair_circuit(description):
    """Mend what the generator cannot digest, or what Circuit does otherwise than described."""
    paths = description["paths"]
    for path in paths.values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                # Numbers that are whole by their format; the client would ask for `25.0` of them.
                if parameter["schema"].get("format") == "int32":
                    parameter["schema"]["type"] = "integer"
            for response in operation["responses"].values():
                # JSON, as its schema and every other operation say; the generator has to be told.
                content = response.get("content", {})
                if "*/*" in content:
                    content["application/json"] = content.pop("*/*")
    # Ids, so described elsewhere; the schema "String" is an artefact of the description's tool.
    favorites = json_of(paths["/conversations/favorite"]["get"])
    favorites["items"] = {"type": "string"}
    # One page, as public code knows it, and not a list of pages.
    roster = paths["/conversations/{convId}/participants"]["get"]
    json_of(roster)["$ref"] = json_of(roster)["items"]["$ref"]


def json_of(operation):
    """Return the schema of what an operation answers when it succeeds."""
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


REPAIRS = {"clio": repair_clio, "circuit": repair_circuit}
