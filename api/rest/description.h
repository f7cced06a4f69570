// The OpenAPI description of routes: prose, schemas and answers from api/openapi/emend.yaml, the
// paths made from the routes, so that what is described is what is checked. Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "api/rest/route.h"

namespace emend::api::rest {

// The pattern as OpenAPI writes it, which knows no "{name...}": "{name}".
std::string DescribedPath(const Route& route);

// A JSON document of OpenAPI 3.1, as served at /openapi.json.
std::string DescriptionOf(const std::vector<Route>& routes);

}  // namespace emend::api::rest
