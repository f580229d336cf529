#include "platform/grpc/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "platform/grpc/testing/certificates.h"

namespace platform::grpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CheckTlsFilesTest : public ::testing::Test {
 protected:
  // Returns the fault that the check finds.
  std::string Fault() const {
    const auto checked = CheckTlsFiles(directory_.files());
    return checked ? "nothing" : checked.error();
  }

  testing::Authority authority_;
  testing::TlsDirectory directory_{authority_.certificate(), authority_.Issue()};
};

TEST_F(CheckTlsFilesTest, AcceptsAGoodSet) { EXPECT_EQ(Fault(), "nothing"); }

TEST_F(CheckTlsFilesTest, NamesAMissingFile) {
  std::filesystem::remove(directory_.files().key);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("key.pem"), HasSubstr("no such file")));
}

TEST_F(CheckTlsFilesTest, RefusesATextThatIsNoCertificate) {
  std::ofstream(directory_.files().certificate) << "not PEM";
  EXPECT_THAT(Fault(), HasSubstr("no usable certificate in"));
}

TEST_F(CheckTlsFilesTest, RefusesAnEmptyAuthority) {
  directory_.SetCa("");
  EXPECT_THAT(Fault(), AllOf(HasSubstr("no usable CA certificate"), HasSubstr("ca.pem")));
}

TEST_F(CheckTlsFilesTest, RefusesTheKeyOfAnotherCertificate) {
  std::ofstream(directory_.files().key) << authority_.Issue().key;
  EXPECT_THAT(Fault(), AllOf(HasSubstr("key.pem"), HasSubstr("key values mismatch")));
}

TEST_F(CheckTlsFilesTest, NeverShowsTheKey) {
  const std::string key = authority_.Issue().key;
  std::ofstream(directory_.files().key) << key.substr(0, key.size() / 2);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("key.pem"), ::testing::Not(HasSubstr("BEGIN"))));
}

}  // namespace
}  // namespace platform::grpc
