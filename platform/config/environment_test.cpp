#include "platform/config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace platform::config {
namespace {

using testing::Each;
using testing::ElementsAre;

using testing::Field;
using testing::IsEmpty;

using testing::SizeIs;

// A file that exists for the duration of a test.
class TestFile {
 public:
  explicit TestFile(std::string_view content)
      : path_(testing::TempDir() + "microcart_environment_" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
              std::to_string(::getpid())) {
    std::ranges::replace(path_.begin() + 5, path_.end(), '/', '_');
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TestFile() { std::filesystem::remove(path_); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Environment, ReadsTheProcessEnvironment) {
  ::setenv("MICROCART_ENVIRONMENT_TEST", "here", 1);
  Environment environment;
  EXPECT_EQ(environment.RequiredString("MICROCART_ENVIRONMENT_TEST", "test"), "here");
  ::setenv("MICROCART_ENVIRONMENT_TEST", "", 1);
  EXPECT_EQ(environment.String("MICROCART_ENVIRONMENT_TEST", "fallback", "test"), "fallback");
  ::unsetenv("MICROCART_ENVIRONMENT_TEST");
  EXPECT_EQ(environment.String("MICROCART_ENVIRONMENT_TEST", "fallback", "test"), "fallback");
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

TEST(Environment, TakesFallbacksForWhatIsNotSetOrEmpty) {
  for (Environment environment :
       {Environment(Environment::Variables{}),
        Environment({{"S", ""}, {"I", ""}, {"P", ""}, {"B", ""}, {"O", ""}, {"T", ""}})}) {
    EXPECT_EQ(environment.String("S", "text", "help"), "text");
    EXPECT_EQ(environment.Integer("I", 3, {1, 9}, "help"), 3);
    EXPECT_EQ(environment.Port("P", 5432, "help"), 5432);
    EXPECT_EQ(environment.Boolean("B", true, "help"), true);
    EXPECT_EQ(environment.OneOf("O", {"a", "b"}, "b", "help"), "b");
    EXPECT_EQ(environment.Seconds("T", std::chrono::seconds(30), {0, 60}, "help"),
              std::chrono::seconds(30));
    EXPECT_THAT(environment.Mistakes(), IsEmpty());
  }
}

TEST(Environment, ReadsValues) {
  Environment environment(
      {{"S", "text"}, {"I", "-9"}, {"P", "65535"}, {"L", "0"}, {"O", "a"}, {"T", "60"}});
  EXPECT_EQ(environment.String("S", "", "help"), "text");
  EXPECT_EQ(environment.Integer("I", 3, {-9, 9}, "help"), -9);
  EXPECT_EQ(environment.Port("P", 1, "help"), 65535);
  EXPECT_EQ(environment.ListenPort("L", 1, "help"), 0);
  EXPECT_EQ(environment.OneOf("O", {"a", "b"}, "b", "help"), "a");
  EXPECT_EQ(environment.Seconds("T", std::chrono::seconds(30), {0, 60}, "help"),
            std::chrono::seconds(60));
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

TEST(Environment, ReportsAllMistakesTogether) {
  Environment environment({{"SERVICE_PORT", "http"}, {"WORKERS", "0"}});
  environment.RequiredString("POSTGRES_DB", "name of the database");
  EXPECT_EQ(environment.ListenPort("SERVICE_PORT", 8081, "help"), 8081);
  EXPECT_EQ(environment.Integer("WORKERS", 2, {1, 64}, "help"), 2);
  environment.AddMistake("WORKERS", "is odd");
  EXPECT_THAT(
      environment.Mistakes(),
      ElementsAre("POSTGRES_DB is not set; it should be the name of the database",
                  "SERVICE_PORT is \"http\"; it should be a port (0: any free one) from 0 "
                  "to 65535",
                  "WORKERS is \"0\"; it should be a whole number from 1 to 64", "WORKERS is odd"));
}

struct MistakeCase {
  std::string_view label;
  std::string value;
  std::function<void(Environment&)> read;
  std::string_view mistake;
};

void PrintTo(const MistakeCase& row, std::ostream* out) { *out << row.label; }

class EnvironmentMistake : public testing::TestWithParam<MistakeCase> {};

TEST_P(EnvironmentMistake, IsReportedOnOneLine) {
  Environment environment({{"X", GetParam().value}});
  GetParam().read(environment);
  EXPECT_THAT(environment.Mistakes(), ElementsAre(GetParam().mistake));
}

void ReadPort(Environment& environment) { environment.Port("X", 1, "help"); }
void ReadInteger(Environment& environment) { environment.Integer("X", 1, {0, 9}, "help"); }
void ReadBoolean(Environment& environment) { environment.Boolean("X", false, "help"); }
void ReadOneOf(Environment& environment) { environment.OneOf("X", {"a", "b"}, "a", "help"); }
void ReadSeconds(Environment& environment) {
  environment.Seconds("X", std::chrono::seconds(1), {0, 60}, "help");
}

INSTANTIATE_TEST_SUITE_P(
    , EnvironmentMistake,
    testing::Values(
        MistakeCase{"port_zero", "0", ReadPort, "X is \"0\"; it should be a port from 1 to 65535"},
        MistakeCase{"port_past_end", "65536", ReadPort,
                    "X is \"65536\"; it should be a port from 1 to 65535"},
        MistakeCase{"port_negative", "-1", ReadPort,
                    "X is \"-1\"; it should be a port from 1 to 65535"},
        MistakeCase{"integer_huge", "99999999999999999999", ReadInteger,
                    "X is \"99999999999999999999\"; it should be a whole number from 0 to 9"},
        MistakeCase{"integer_fraction", "1.5", ReadInteger,
                    "X is \"1.5\"; it should be a whole number from 0 to 9"},
        MistakeCase{"integer_with_space", " 1", ReadInteger,
                    "X is \" 1\"; it should be a whole number from 0 to 9"},
        MistakeCase{"integer_with_newline", "1\n", ReadInteger,
                    "X is \"1\\n\"; it should be a whole number from 0 to 9"},
        MistakeCase{"integer_long", std::string(1000, '1'), ReadInteger,
                    "X is \"1111111111111111111111111111111111111111111111111111111111111111\"...; "
                    "it should be a whole number from 0 to 9"},
        MistakeCase{"seconds_with_unit", "30s", ReadSeconds,
                    "X is \"30s\"; it should be a whole number of seconds from 0 to 60"},
        MistakeCase{"boolean_word", "maybe", ReadBoolean,
                    "X is \"maybe\"; it should be true or false (or yes, no, on, off, 1, 0)"},
        MistakeCase{"one_of_in_wrong_case", "A", ReadOneOf,
                    "X is \"A\"; it should be one of a, b"}),
    [](const auto& row) { return std::string(row.param.label); });

struct BooleanCase {
  const char* label;
  const char* value;
  bool expected;
};

void PrintTo(const BooleanCase& row, std::ostream* out) { *out << row.label; }

class EnvironmentBoolean : public testing::TestWithParam<BooleanCase> {};

TEST_P(EnvironmentBoolean, IsUnderstood) {
  Environment environment({{"X", GetParam().value}});
  EXPECT_EQ(environment.Boolean("X", !GetParam().expected, "help"), GetParam().expected);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , EnvironmentBoolean,
    testing::Values(BooleanCase{"true_lower", "true", true},
                    BooleanCase{"true_title", "True", true}, BooleanCase{"yes", "YES", true},
                    BooleanCase{"on", "on", true}, BooleanCase{"one", "1", true},
                    BooleanCase{"false_lower", "false", false},
                    BooleanCase{"false_upper", "FALSE", false}, BooleanCase{"no", "no", false},
                    BooleanCase{"off", "Off", false}, BooleanCase{"zero", "0", false}),
    [](const auto& row) { return std::string(row.param.label); });

TEST(EnvironmentSecret, ComesFromTheVariable) {
  Environment environment({{"KEY", "s3cret"}});
  EXPECT_EQ(environment.SecretOrFile("KEY", 6, "help").Reveal(), "s3cret");
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

struct SecretFileCase {
  const char* label;
  std::string content;
  std::string expected;
};

void PrintTo(const SecretFileCase& row, std::ostream* out) { *out << row.label; }

class EnvironmentSecretFile : public testing::TestWithParam<SecretFileCase> {};

TEST_P(EnvironmentSecretFile, LosesOneNewline) {
  const TestFile file(GetParam().content);
  Environment environment({{"KEY_FILE", file.path()}, {"KEY", ""}});
  EXPECT_EQ(environment.SecretOrFile("KEY", 1, "help").Reveal(), GetParam().expected);
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, EnvironmentSecretFile,
                         testing::Values(SecretFileCase{"none", "s3cret", "s3cret"},
                                         SecretFileCase{"unix", "s3cret\n", "s3cret"},
                                         SecretFileCase{"windows", "s3cret\r\n", "s3cret"},
                                         SecretFileCase{"two", "s3cret\n\n", "s3cret\n"},
                                         SecretFileCase{"inner", "s3\ncret", "s3\ncret"},
                                         SecretFileCase{"carriage_return", "s3cret\r", "s3cret\r"},
                                         SecretFileCase{"longest", std::string(65536, 'x') + "\n",
                                                        std::string(65536, 'x')}),
                         [](const auto& row) { return std::string(row.param.label); });

TEST(EnvironmentSecret, IsRequired) {
  Environment environment(Environment::Variables{});
  EXPECT_TRUE(environment.SecretOrFile("KEY", 1, "help").empty());
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre("KEY is not set; it should be, or KEY_FILE instead"));
}

TEST(EnvironmentSecret, MayBeOptional) {
  const TestFile file("from a file\n");
  Environment environment({{"SET", "s3cret"}, {"FILED_FILE", file.path()}, {"SHORT", "s"}});
  EXPECT_EQ(environment.OptionalSecretOrFile("SET", 6, "help").Reveal(), "s3cret");
  EXPECT_EQ(environment.OptionalSecretOrFile("FILED", 6, "help").Reveal(), "from a file");
  EXPECT_TRUE(environment.OptionalSecretOrFile("UNSET", 6, "help").empty());
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
  EXPECT_TRUE(environment.OptionalSecretOrFile("SHORT", 6, "help").empty());
  EXPECT_THAT(environment.Mistakes(), ElementsAre("SHORT has 1 bytes; it should be 6 to 65536"));
  EXPECT_THAT(environment.Described(), Each(Field(&Environment::Variable::required, false)));
}

TEST(EnvironmentSecret, MayNotBeInBothPlaces) {
  const TestFile file("s3cret");
  Environment environment({{"KEY", "s3cret"}, {"KEY_FILE", file.path()}});
  EXPECT_TRUE(environment.SecretOrFile("KEY", 1, "help").empty());
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre("KEY is set, and KEY_FILE too; only one of them should be"));
}

TEST(EnvironmentSecret, IsNeverInAMistake) {
  const TestFile file("s3cret\n");
  Environment environment(
      {{"SHORT", "s3cret"}, {"FILED_FILE", file.path()}, {"HUGE", std::string(70000, 'x')}});
  EXPECT_TRUE(environment.SecretOrFile("SHORT", 32, "help").empty());
  EXPECT_TRUE(environment.SecretOrFile("FILED", 32, "help").empty());
  EXPECT_TRUE(environment.SecretOrFile("HUGE", 32, "help").empty());
  EXPECT_THAT(environment.Mistakes(),
              ElementsAre("SHORT has 6 bytes; it should be 32 to 65536",
                          "FILED_FILE names a file that holds 6 bytes; it should be 32 to 65536",
                          "HUGE has 70000 bytes; it should be 32 to 65536"));
}

TEST(EnvironmentSecret, NamesTheReasonForAnUnreadableFile) {
  Environment environment({{"A_FILE", "/nonexistent/secret"}, {"B_FILE", "/tmp"}});
  environment.SecretOrFile("A", 1, "help");
  environment.SecretOrFile("B", 1, "help");
  EXPECT_THAT(
      environment.Mistakes(),
      ElementsAre("A_FILE names \"/nonexistent/secret\", which cannot be read (No such file "
                  "or directory); it should name a readable file",
                  "B_FILE names \"/tmp\", which cannot be read (Is a directory); it should "
                  "name a readable file"));
}

TEST(EnvironmentFile, IsReadable) {
  const TestFile file("");
  Environment environment({{"X", file.path()}});
  EXPECT_EQ(environment.ReadableFile("X", "help"), file.path());
  EXPECT_THAT(environment.Mistakes(), IsEmpty());
}

TEST(EnvironmentFile, IsReportedWhereItIsNot) {
  Environment environment({{"MISSING", "/nonexistent/ca.pem"}, {"FOLDER", "/tmp"}});
  EXPECT_EQ(environment.ReadableFile("UNSET", "help"), "");
  EXPECT_EQ(environment.ReadableFile("MISSING", "help"), "");
  EXPECT_EQ(environment.ReadableFile("FOLDER", "help"), "");
  EXPECT_THAT(
      environment.Mistakes(),
      ElementsAre("UNSET is not set; it should name a readable file",
                  "MISSING names \"/nonexistent/ca.pem\", which cannot be read (No such file "
                  "or directory); it should name a readable file",
                  "FOLDER names \"/tmp\", which cannot be read (not a regular file); it "
                  "should name a readable file"));
}

TEST(EnvironmentTable, TellsEachVariableOnce) {
  Environment environment({{"NAME", "value"}, {"KEY", "s3cret"}});
  environment.RequiredString("NAME", "name of it");
  environment.String("NAME", "again", "name of it");
  environment.SecretOrFile("KEY", 1, "key of it");
  environment.Integer("WORKERS", 2, {1, 64}, "worker threads", "number of cores");
  environment.OneOf("MODE", {"fast", "slow"}, "fast", "way of work");
  environment.String("NOTE", "", "note");
  EXPECT_THAT(environment.Described(), SizeIs(6));
  EXPECT_EQ(environment.Table(),
            "  NAME      (required)       name of it\n"
            "  KEY       (required)       key of it\n"
            "  KEY_FILE  -                file that holds KEY instead\n"
            "  WORKERS   number of cores  worker threads\n"
            "  MODE      fast             way of work: fast, slow\n"
            "  NOTE      -                note\n");
}

}  // namespace
}  // namespace platform::config
