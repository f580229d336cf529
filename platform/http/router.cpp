#include "platform/http/router.h"

#include <algorithm>

#include "platform/log/log.h"

namespace platform::http {

Response AnswerToException(const Request& request) {
  try {
    throw;
  } catch (const std::exception& error) {
    log::Error("request failed", {{"request_id", request.id},
                                  {"method", Name(request.method)},
                                  {"path", request.path},
                                  {"error", error.what()}});
  }
  return ToResponse(Error::Internal());
}

Response AnswerToMismatch(const Request& request, const Match& match) {
  if (match.kind == Match::Kind::kUnknownPath) return ToResponse(Error::NotFound());
  Response response = request.method == Method::kOptions
                          ? Response{.status = 204}
                          : ToResponse(ErrorStatus::kMethodNotAllowed);
  response.headers.emplace_back("Allow", match.allow);
  return response;
}

Response AnswerToQuery() {
  return ToResponse(Error{.code = ErrorCode::kInvalidArgument,
                          .reason = "Input belongs in a JSON body, not in the query string"});
}

boost::json::array DescribeQuery(const boost::json::object& query_schema) {
  boost::json::array parameters;
  for (const auto& [name, property] : query_schema.at("properties").as_object()) {
    boost::json::object schema = property.as_object();
    boost::json::object parameter{{"name", name}, {"in", "query"}};
    if (const auto description = schema.find("description"); description != schema.end()) {
      parameter["description"] = description->value();
      schema.erase(description);
    }
    parameter["schema"] = std::move(schema);
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace platform::http
