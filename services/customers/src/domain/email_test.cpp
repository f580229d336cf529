#include "services/customers/src/domain/email.h"

#include <gtest/gtest.h>

namespace customers {
namespace {

TEST(Email, AcceptsWhatTheReferenceAccepts) {
  for (const char* address :
       {"a@b.co", "first.last+tag@sub.example.com", "!#$%&'*+-/=?^_`{|}~@example.org",
        "user@localhost", "user@[127.0.0.1]", "user@[255.255.255.255]", "A@EXAMPLE.COM",
        R"("quoted.local"@example.com)", R"("a\"b"@example.com)", R"("a@b"@example.com)",
        R"(""@example.com)", "user@exämple.com", "user@пример.рф", "user@example.xn--p1ai",
        "zoë@example.com", "a@1.com", "a@a-b.com",
        // These are accepted only because the reference accepts them.
        "ops@192.168.1.10", "a@example.123", "a@example.c0", "a@example.a-b", "a@example.-1",
        "a@example.--", "user@faß.example", "user@☃.example"}) {
    EXPECT_TRUE(Email::Parse(address).has_value()) << address;
  }
  EXPECT_TRUE(Email::Parse(std::string(63, 'a') + "@" + std::string(63, 'b') + ".com").has_value());
}

TEST(Email, RefusesEverythingElse) {
  for (const char* address : {"",
                              "@",
                              "plain",
                              "@b.co",
                              "a@",
                              "@b.co",
                              "a@b",
                              "a b@example.com",
                              ".a@example.com",
                              "a.@example.com",
                              "a..b@example.com",
                              "a@-b.com",
                              "a@b-.com",
                              "a@b..com",
                              "a@.com",
                              "a@b.c",
                              "a@b.1",
                              "a@127.0.0.1",
                              "a@b.com.",
                              "a@b_c.com",
                              "a@[256.1.1.1]",
                              "a@[1.1.1]",
                              "a@[1.1.1.1",
                              "a@[::1]",
                              "a@-b.123",
                              R"("a@example.com)",
                              R"("a"b"@example.com)",
                              "\"a\nb\"@example.com",
                              R"("\"@example.com)",
                              "a@exam ple.com",
                              "a@example.com\n",
                              "a@LOCALHOST",
                              "a,b@example.com"}) {
    EXPECT_EQ(Email::Parse(address).error(), "Not a valid email address.") << address;
  }
  EXPECT_FALSE(Email::Parse(std::string(250, 'a') + "@b.co").has_value());
  EXPECT_FALSE(Email::Parse("a@" + std::string(64, 'b') + ".com").has_value());
}

TEST(Email, RefusesWhatCannotBeSeen) {
  for (const char* invisible :
       {"\x01",       "\x7f",      "\t",     "\u0085", "\u00a0",     "\u00ad",     "\u034f",
        "\u061c",     "\u115f",    "\u180b", "\u180e", "\u2003",     "\u200b",     "\u200c",
        "\u200d",     "\u200e",    "\u200f", "\u2028", "\u2029",     "\u202a",     "\u202e",
        "\u2060",     "\u2064",    "\u2066", "\u2069", "\u3000",     "\u3164",     "\ue000",
        "\ufe0f",     "\ufeff",    "\uffa0", "\uffff", "\U000378ff", "\U000e0001", "\U000e0041",
        "\U000e0100", "\U0010fffe"}) {
    const std::string text(invisible);
    for (const std::string& address :
         {"zo" + text + "e@example.com", text + "@example.com", "\"zo" + text + "e\"@example.com",
          "\"zo\\" + text + "e\"@example.com", "zoe@exam" + text + "ple.com",
          "zoe@ex\u00e4m" + text + "ple.com", "zoe@example.c" + text + "om"}) {
      EXPECT_EQ(Email::Check(address), "Not a valid email address.") << address;
    }
  }
  EXPECT_TRUE(Email::Parse("\"zo\\ e\"@example.com").has_value());
}

TEST(Email, KeepsItsSpelling) {
  EXPECT_EQ(Email::Parse("Zoe\u0308@Example.com")->value(), "Zoe\u0308@Example.com");
  EXPECT_EQ(Email::Parse("Mixed.Case@Example.com")->value(), "Mixed.Case@Example.com");
}

}  // namespace
}  // namespace customers
