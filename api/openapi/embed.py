#!/usr/bin/env python3
"""Turns emend.yaml into a C++ source that holds it as JSON: embed.py emend.yaml openapi_json.cc"""
import json
import sys

import yaml

PIECE = 8000  # characters: compilers bound the length of one string literal


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        text = json.dumps(yaml.safe_load(file), ensure_ascii=True, separators=(",", ":"))
    pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)]
    with open(target, "w", encoding="utf-8") as file:
        file.write('#include <string>\n\n#include "api/openapi/openapi.h"\n\nnamespace emend::api::openapi {\n\nstd::string_view OpenApiJson() {\n')
        file.write("  static const std::string kJson =\n      std::string()\n")
        for piece in pieces:
            file.write("          .append(" + json.dumps(piece) + ")\n")
        file.write("      ;\n  return kJson;\n}\n\n}  // namespace emend::api::openapi\n")


if __name__ == "__main__":
    main()
