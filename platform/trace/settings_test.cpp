#include "platform/trace/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace platform::trace {
namespace {

using config::Environment;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kHeaders = "OTEL_EXPORTER_OTLP_HEADERS";
constexpr const char* kSampler = "OTEL_TRACES_SAMPLER";
constexpr const char* kArgument = "OTEL_TRACES_SAMPLER_ARG";

TracerOptions Read(Environment::Variables variables) {
  variables.try_emplace(kEndpoint, "http://collector:4318");
  Environment environment(std::move(variables));
  auto options = ReadTracerOptions(environment, "cart");
  EXPECT_THAT(environment.Mistakes(), ElementsAre());
  return options.value();
}

TEST(TracerSettings, WithoutACollectorThereIsNoTracer) {
  Environment environment(Environment::Variables{{kSampler, "always_on"}});
  EXPECT_FALSE(ReadTracerOptions(environment, "cart"));
  EXPECT_THAT(environment.Mistakes(), ElementsAre());
}

TEST(TracerSettings, Defaults) {
  const TracerOptions options = Read({});
  EXPECT_EQ(options.service, "cart");
  EXPECT_TRUE(options.sampler.follows_parent);
  EXPECT_EQ(options.sampler.ratio, 1);
  EXPECT_TRUE(options.collector.headers.empty());
}

TEST(TracerSettings, ServiceName) {
  EXPECT_EQ(Read({{"OTEL_SERVICE_NAME", "cart-eu"}}).service, "cart-eu");
}

struct Url {
  const char* text;
  bool is_tls;
  const char* host;
  std::uint16_t port;
  const char* path;
};

TEST(TracerSettings, Endpoints) {
  for (const Url& url : {
           Url{"http://collector:4318", false, "collector", 4318, "/v1/traces"},
           Url{"http://collector", false, "collector", 80, "/v1/traces"},
           Url{"https://otlp.example/", true, "otlp.example", 443, "/v1/traces"},
           Url{"https://otlp.example:8443/a/b/", true, "otlp.example", 8443, "/a/b/v1/traces"},
           Url{"HTTP://127.0.0.1:1", false, "127.0.0.1", 1, "/v1/traces"},
           Url{"http://[::1]:4318/otlp", false, "::1", 4318, "/otlp/v1/traces"},
       }) {
    const TracerOptions::Collector collector = Read({{kEndpoint, url.text}}).collector;
    EXPECT_EQ(collector.is_tls, url.is_tls) << url.text;
    EXPECT_EQ(collector.host, url.host) << url.text;
    EXPECT_EQ(collector.port, url.port) << url.text;
    EXPECT_EQ(collector.path, url.path) << url.text;
  }
}

TEST(TracerSettings, Samplers) {
  struct Row {
    const char* name;
    bool follows_parent;
    double ratio;
  };
  for (const Row& row :
       {Row{"always_on", false, 1}, Row{"always_off", false, 0}, Row{"traceidratio", false, 0.05},
        Row{"parentbased_always_on", true, 1}, Row{"parentbased_always_off", true, 0},
        Row{"parentbased_traceidratio", true, 0.05}}) {
    const Sampler sampler = Read({{kSampler, row.name}, {kArgument, "0.05"}}).sampler;
    EXPECT_EQ(sampler.follows_parent, row.follows_parent) << row.name;
    EXPECT_EQ(sampler.ratio, row.ratio) << row.name;
  }
  EXPECT_EQ(Read({{kSampler, "traceidratio"}}).sampler.ratio, 1);
}

TEST(TracerSettings, Headers) {
  const auto headers = Read({{kHeaders, "api-key=a%20key%3D, X-Tenant = shop "}}).collector.headers;
  ASSERT_EQ(headers.size(), 2);
  EXPECT_EQ(headers[0].first, "api-key");
  EXPECT_EQ(headers[0].second.Reveal(), "a key=");
  EXPECT_EQ(headers[1].first, "X-Tenant");
  EXPECT_EQ(headers[1].second.Reveal(), "shop");
}

struct Mistake {
  const char* label;
  const char* variable;
  const char* value;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.label; }

class TracerMistake : public testing::TestWithParam<Mistake> {};

TEST_P(TracerMistake, IsNamedWithoutItsSecret) {
  Environment::Variables variables{{kEndpoint, "http://collector:4318"}};
  variables.insert_or_assign(GetParam().variable, GetParam().value);
  Environment environment(std::move(variables));
  ReadTracerOptions(environment, "cart");
  ASSERT_EQ(environment.Mistakes().size(), 1);
  EXPECT_THAT(environment.Mistakes().front(), StartsWith(std::string(GetParam().variable) + " "));
  EXPECT_THAT(environment.Mistakes().front(), Not(HasSubstr("secret")));
}

INSTANTIATE_TEST_SUITE_P(
    , TracerMistake,
    testing::Values(Mistake{"no_scheme", kEndpoint, "collector:4318"},
                    Mistake{"other_scheme", kEndpoint, "grpc://collector:4317"},
                    Mistake{"no_host", kEndpoint, "http://:4318"},
                    Mistake{"path_alone", kEndpoint, "/v1/traces"},
                    Mistake{"port_zero", kEndpoint, "http://collector:0"},
                    Mistake{"large_port", kEndpoint, "http://collector:65536"},
                    Mistake{"text_as_port", kEndpoint, "http://collector:port"},
                    Mistake{"password", kEndpoint, "http://user:secret@collector"},
                    Mistake{"query", kEndpoint, "http://collector?key=secret"},
                    Mistake{"fragment", kEndpoint, "http://collector#traces"},
                    Mistake{"space", kEndpoint, "http://a collector"},
                    Mistake{"two", kEndpoint, "http://a:1,http://b:1"},
                    Mistake{"unknown_sampler", kSampler, "sometimes"},
                    Mistake{"text_as_ratio", kArgument, "half"},
                    Mistake{"large_ratio", kArgument, "1.01"},
                    Mistake{"negative_ratio", kArgument, "-0.5"},
                    Mistake{"percent", kArgument, "5%"}, Mistake{"not_a_number", kArgument, "nan"},
                    Mistake{"no_value", kHeaders, "secret"},
                    Mistake{"no_name", kHeaders, "=secret"},
                    Mistake{"space_in_name", kHeaders, "api key=secret"},
                    Mistake{"line_break", kHeaders, "key=secret%0d%0aHost:x"},
                    Mistake{"broken_encoding", kHeaders, "key=secret%2"}),
    [](const auto& row) { return std::string(row.param.label); });

}  // namespace
}  // namespace platform::trace
