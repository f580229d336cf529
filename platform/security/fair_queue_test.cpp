#include "platform/security/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace platform::security {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Thread = FairQueue::Thread;

constexpr HashPurpose kLogin = HashPurpose::kLogin;
constexpr HashPurpose kRegistration = HashPurpose::kRegistration;
constexpr std::size_t kMany = 1000;
constexpr FairQueue::Clock::time_point kStart{};

// A queue with clients, whose jobs write their names down when they run or are refused.
class FairQueueTest : public testing::Test {
 protected:
  using Clients = std::vector<std::unique_ptr<FairQueue::Client>>;

  void Limit(const FairQueueLimits& limits) { queue_ = std::make_unique<FairQueue>(limits); }

  // Takes a place and adds a job. Returns whether there was a place.
  bool Ask(const std::string& name, const std::vector<ClientNetwork>& networks,
           HashPurpose purpose = kLogin, FairQueue::Clock::time_point now = kStart) {
    auto client = Enter(networks, purpose);
    if (!client) return false;
    Push(*client, name, now);
    clients_.push_back(std::move(client));
    return true;
  }
  bool Ask(const std::string& address, HashPurpose purpose = kLogin,
           FairQueue::Clock::time_point now = kStart) {
    return Ask(address, {{.name = address}}, purpose, now);
  }

  std::unique_ptr<FairQueue::Client> Enter(const std::vector<ClientNetwork>& networks,
                                           HashPurpose purpose = kLogin) {
    std::vector<FairQueue::Refused> refused;
    auto client = queue_->Enter(purpose, networks, refused);
    Finish(refused);
    return client ? *std::move(client) : nullptr;
  }

  bool Push(FairQueue::Client& client, const std::string& name,
            FairQueue::Clock::time_point now = kStart) {
    return queue_->Push(client,
                        {.run = [] {}, .finish = [this, name] { finished_.push_back(name); }}, now);
  }

  // Starts the next job. Returns its purpose, and its name behind those of `finished_`.
  std::optional<HashPurpose> Start(Thread thread = Thread::kUsual,
                                   FairQueue::Clock::time_point now = kStart) {
    std::vector<FairQueue::Refused> refused;
    auto next = queue_->Next(thread, now, refused);
    Finish(refused);
    if (!next) return std::nullopt;
    next->job.run();
    next->job.finish();
    return next->purpose;
  }

  // Runs jobs one after the other. Returns their names in this order.
  std::vector<std::string> Run(std::size_t count = kMany) {
    finished_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const auto purpose = Start();
      if (!purpose) break;
      queue_->End(*purpose);
    }
    return finished_;
  }

  void Finish(std::vector<FairQueue::Refused>& refused) {
    for (FairQueue::Refused& refusal : refused) refusal.job.finish();
  }

  std::unique_ptr<FairQueue> queue_ = std::make_unique<FairQueue>(
      FairQueueLimits{.places = kMany, .places_of_client = kMany, .registrations_at_once = kMany});
  Clients clients_;
  std::vector<std::string> finished_;
};

TEST_F(FairQueueTest, ClientsTakeTurns) {
  for (const char* address : {"a", "a", "a", "a", "b", "b", "c"}) Ask(address);
  EXPECT_THAT(Run(), ElementsAre("a", "b", "c", "a", "b", "a", "a"));
}

TEST_F(FairQueueTest, ANewClientIsServedNext) {
  for (int i = 0; i < 100; ++i) Ask("attacker");
  Run(10);
  Ask("honest");
  EXPECT_THAT(Run(2), ElementsAre("honest", "attacker"));
}

TEST_F(FairQueueTest, CountsTheJobsThatBeganMeanwhile) {
  for (const char* address : {"a", "a", "b"}) Ask(address);
  Ask("c", kRegistration);
  std::vector<std::uint64_t> ahead;
  std::vector<FairQueue::Refused> refused;
  while (auto next = queue_->Next(Thread::kUsual, kStart, refused)) ahead.push_back(next->ahead);
  EXPECT_THAT(ahead, ElementsAre(0, 1, 2, 3));
}

TEST_F(FairQueueTest, OneAtATimeIsFairToo) {
  for (int i = 0; i < 100; ++i) Ask("attacker");
  for (int i = 0; i < 10; ++i) {
    Ask("honest");
    EXPECT_THAT(Run(2), testing::Contains("honest")) << i;
    queue_->Leave(*clients_.back());
    clients_.pop_back();
  }
}

// However many /64 networks a customer uses, they get as many turns as the share of the /48.
TEST_F(FairQueueTest, ALargerNetworkGetsNoMoreThanItsShare) {
  for (int i = 0; i < 80; ++i) {
    const std::string number = std::to_string(i);
    Ask("v6", {{.name = "/64 " + number, .share = 1},
               {.name = "/56 " + number, .share = 2},
               {.name = "/48", .share = 4}});
    Ask("v4");
  }
  const auto order = Run(50);
  EXPECT_EQ(std::ranges::count(order, "v6"), 40);
  EXPECT_EQ(std::ranges::count(order, "v4"), 10);
}

TEST_F(FairQueueTest, ASmallNetworkGetsNoMoreThanOneShare) {
  for (int i = 0; i < 80; ++i) {
    Ask("v6",
        {{.name = "/64", .share = 1}, {.name = "/56", .share = 2}, {.name = "/48", .share = 4}});
    Ask("v4");
  }
  const auto order = Run(50);
  EXPECT_EQ(std::ranges::count(order, "v6"), 25);
}

TEST_F(FairQueueTest, PurposesTakeTurns) {
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 10; ++j) Ask("r" + std::to_string(j), kRegistration);
  }
  Ask("l", kLogin);
  Ask("m", kLogin);
  EXPECT_THAT(Run(4), ElementsAre("l", "r0", "m", "r1"));
}

TEST_F(FairQueueTest, TheOneThatRunsFewerJobsIsNext) {
  for (int i = 0; i < 10; ++i) {
    Ask("r", kRegistration);
    Ask("l", kLogin);
  }
  std::map<HashPurpose, int> running;
  for (int i = 0; i < 6; ++i) ++running[*Start()];
  EXPECT_EQ(running[kLogin], 3);
  for (int i = 0; i < 3; ++i) queue_->End(kLogin);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Start(), kLogin);
}

TEST_F(FairQueueTest, RegistrationsLeaveThreadsToLogins) {
  Limit({.places = kMany, .places_of_client = kMany, .registrations_at_once = 2});
  for (int i = 0; i < 10; ++i) Ask("r" + std::to_string(i), kRegistration);
  EXPECT_EQ(Start(), kRegistration);
  EXPECT_EQ(Start(Thread::kSpare), kRegistration);
  EXPECT_EQ(Start(), std::nullopt);
  EXPECT_EQ(Start(Thread::kSpare), std::nullopt);
  Ask("l", kLogin);
  EXPECT_EQ(Start(), kLogin);
  queue_->End(kRegistration);
  EXPECT_EQ(Start(), kRegistration);
}

TEST_F(FairQueueTest, TheSpareThreadTakesOnlyClientsThatAreAlone) {
  const auto first = Enter({{.name = "attacker"}});
  const auto second = Enter({{.name = "attacker"}}, kRegistration);
  EXPECT_FALSE(Push(*second, "attacker"));
  EXPECT_FALSE(Push(*first, "attacker"));
  EXPECT_EQ(Start(Thread::kSpare), std::nullopt);
  const auto honest = Enter({{.name = "honest"}});
  EXPECT_TRUE(Push(*honest, "honest"));
  EXPECT_EQ(Start(Thread::kSpare), kLogin);
  EXPECT_THAT(finished_, ElementsAre("honest"));
  EXPECT_EQ(Start(Thread::kSpare), std::nullopt);
}

TEST_F(FairQueueTest, ClientsOfOneLargeNetworkAreAloneUpToItsShare) {
  std::vector<std::unique_ptr<FairQueue::Client>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(
        Enter({{.name = "/64 " + std::to_string(i), .share = 1}, {.name = "/48", .share = 4}}));
    EXPECT_EQ(Push(*clients.back(), "v6"), i < 4) << i;
  }
}

TEST_F(FairQueueTest, AClientHasABoundForEachPurpose) {
  Limit({.places = kMany, .places_of_client = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask("a"));
  EXPECT_FALSE(Ask("a"));
  EXPECT_TRUE(Ask("a", kRegistration));
  EXPECT_TRUE(Ask("b"));
  // A job that runs still has its place.
  Run(1);
  EXPECT_FALSE(Ask("a"));
  queue_->Leave(*clients_.front());
  EXPECT_TRUE(Ask("a"));
}

TEST_F(FairQueueTest, EachNetworkOfAClientHasItsBound) {
  Limit({.places = kMany, .places_of_client = 3});
  const auto ask = [&](int number) {
    return Ask(
        "v6", {{.name = "/64 " + std::to_string(number), .share = 1}, {.name = "/48", .share = 4}});
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask(0));
  EXPECT_FALSE(ask(0));
  for (int i = 1; i < 10; ++i) EXPECT_TRUE(ask(i));
  EXPECT_FALSE(ask(10));
}

TEST_F(FairQueueTest, WhoWouldBeServedEarlierTakesThePlaceOfTheLastOne) {
  Limit({.places = 4, .places_of_client = 3});
  for (const char* address : {"a", "a", "b", "b"}) EXPECT_TRUE(Ask(address));
  EXPECT_FALSE(Ask("a")) << "it would be served last";
  EXPECT_THAT(finished_, ElementsAre());
  EXPECT_TRUE(Ask("c"));
  EXPECT_THAT(finished_, ElementsAre("b"));
  EXPECT_EQ(queue_->places(kLogin), 4);
  // Registrations have places of their own.
  EXPECT_TRUE(Ask("d", kRegistration));
  EXPECT_TRUE(Ask("e"));
  EXPECT_THAT(finished_, ElementsAre("b", "a"));
  // None of those that wait is later than a new client now.
  EXPECT_FALSE(Ask("f"));
  EXPECT_THAT(Run(), ElementsAre("a", "d", "b", "c", "e"));
  // A client that was displaced has no place to give back.
  for (auto& client : clients_) queue_->Leave(*client);
  EXPECT_EQ(queue_->places(kLogin), 0);
}

TEST_F(FairQueueTest, ManyClientsCannotKeepAnotherOneOut) {
  Limit({.places = 64, .places_of_client = 32});
  for (int i = 0; i < 1000; ++i) Ask("attacker " + std::to_string(i % 20));
  finished_.clear();
  EXPECT_TRUE(Ask("honest"));
  EXPECT_EQ(finished_.size(), 1U);
  const auto order = Run();
  EXPECT_LE(std::ranges::find(order, "honest") - order.begin(), 20);
}

TEST_F(FairQueueTest, RefusesWhatHasWaitedForTooLong) {
  Ask("late", kLogin, kStart);
  Ask("late", kRegistration, kStart + 1s);
  Ask("early", kLogin, kStart + 2s);
  EXPECT_EQ(Start(Thread::kUsual, kStart + 4s + 1ms), kLogin);
  EXPECT_THAT(finished_, ElementsAre("late", "late", "early"));
  EXPECT_FALSE(queue_->HasWaiting());
  EXPECT_EQ(queue_->pending(kLogin), 1);
  EXPECT_EQ(queue_->pending(kRegistration), 0);
}

TEST_F(FairQueueTest, EndsWithAllJobs) {
  for (const char* address : {"a", "a", "b"}) Ask(address);
  Ask("c", kRegistration);
  auto refused = queue_->Clear();
  Finish(refused);
  EXPECT_THAT(finished_, testing::UnorderedElementsAreArray({"a", "a", "b", "c"}));
  EXPECT_FALSE(queue_->HasWaiting());
}

}  // namespace
}  // namespace platform::security
