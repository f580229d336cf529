#include "platform/security/fair_queue.h"

#include <algorithm>

namespace platform::security {
namespace {

// The virtual duration of a job of a network with one share.
constexpr std::uint64_t kTurn = 1U << 16U;

}  // namespace

std::expected<std::unique_ptr<FairQueue::Client>, FairQueue::Refusal> FairQueue::Enter(
    HashPurpose purpose, const std::vector<ClientNetwork>& networks,
    std::vector<Refused>& refused) {
  const std::size_t index = std::to_underlying(purpose);
  Lane& lane = lanes_[index];
  std::uint64_t start = lane.virtual_time;
  for (const auto& [name, share] : networks) {
    const auto found = networks_.find(name);
    if (found == networks_.end()) continue;
    const Network& network = found->second;
    if (network.places[index] >= limits_.places_of_client * static_cast<std::size_t>(share)) {
      return std::unexpected(Refusal::kClientLimit);
    }
    start = std::max(start, network.finish[index]);
  }
  if (lane.places >= limits_.places) {
    if (lane.waiting.empty() || lane.waiting.rbegin()->first.first <= start) {
      return std::unexpected(Refusal::kFull);
    }
    Displace(lane, refused);
  }
  auto client = std::unique_ptr<Client>(new Client(purpose));
  for (const auto& [name, share] : networks) {
    auto& entry = *networks_.try_emplace(name, Network{.share = share}).first;
    ++entry.second.places[index];
    client->networks_.push_back(&entry);
  }
  ++lane.places;
  return client;
}

void FairQueue::Leave(Client& client) {
  if (client.has_place_) GiveBack(client);
}

bool FairQueue::Push(Client& client, Job job, Clock::time_point now) {
  const std::size_t index = std::to_underlying(client.purpose_);
  Lane& lane = lanes_[index];
  std::uint64_t start = lane.virtual_time;
  bool is_alone = client.has_place_;
  for (const auto* entry : client.networks_) {
    const Network& network = entry->second;
    start = std::max(start, network.finish[index]);
    std::size_t places = 0;
    for (const std::size_t count : network.places) places += count;
    is_alone = is_alone && std::cmp_less_equal(places, network.share);
  }
  for (auto* entry : client.networks_) {
    entry->second.finish[index] = start + kTurn / static_cast<std::uint64_t>(entry->second.share);
  }
  const Key key(start, ++last_number_);
  lane.waiting.emplace(
      key, Waiting{.job = std::move(job), .client = &client, .asked = now, .begun_before = begun_});
  lane.by_age.emplace(key.second, key.first);
  if (is_alone) lane.for_spare.insert(key);
  return is_alone;
}

std::optional<FairQueue::Started> FairQueue::Next(Thread thread, Clock::time_point now,
                                                  std::vector<Refused>& refused) {
  for (Lane& lane : lanes_) RefuseLate(lane, now, refused);
  const std::optional<HashPurpose> purpose = Choose(thread);
  if (!purpose) return std::nullopt;
  Lane& lane = LaneOf(*purpose);
  const Key key = thread == Thread::kSpare ? *lane.for_spare.begin() : lane.waiting.begin()->first;
  Waiting next = Take(lane, key);
  lane.virtual_time = std::max(lane.virtual_time, key.first);
  ++lane.running;
  last_started_ = *purpose;
  return Started{.job = std::move(next.job),
                 .purpose = *purpose,
                 .asked = next.asked,
                 .ahead = begun_++ - next.begun_before};
}

std::vector<FairQueue::Refused> FairQueue::Clear() {
  std::vector<Refused> refused;
  for (Lane& lane : lanes_) {
    while (!lane.waiting.empty()) {
      Refuse(lane, lane.waiting.begin()->first, refused);
    }
  }
  return refused;
}

std::size_t FairQueue::pending(HashPurpose purpose) const {
  const Lane& lane = LaneOf(purpose);
  return lane.running + lane.waiting.size();
}

bool FairQueue::HasWaiting() const {
  return std::ranges::any_of(lanes_, [](const Lane& lane) { return !lane.waiting.empty(); });
}

FairQueue::Waiting FairQueue::Take(Lane& lane, Key key) {
  auto node = lane.waiting.extract(key);
  lane.for_spare.erase(key);
  lane.by_age.erase(key.second);
  return std::move(node.mapped());
}

void FairQueue::GiveBack(Client& client) {
  const std::size_t index = std::to_underlying(client.purpose_);
  client.has_place_ = false;
  --lanes_[index].places;
  for (auto* entry : client.networks_) {
    auto& places = entry->second.places;
    --places[index];
    if (std::ranges::all_of(places, [](std::size_t count) { return count == 0; })) {
      networks_.erase(entry->first);
    }
  }
  client.networks_.clear();
}

// Refuses the job that would be served last, and gives its place back.
void FairQueue::Displace(Lane& lane, std::vector<Refused>& refused) {
  const Key last = lane.waiting.rbegin()->first;
  Client& client = *lane.waiting.rbegin()->second.client;
  // It was the last one of each of its networks, which have used nothing beyond its start.
  for (auto* entry : client.networks_) {
    entry->second.finish[std::to_underlying(client.purpose_)] = last.first;
  }
  GiveBack(client);
  Refuse(lane, last, refused);
}

void FairQueue::Refuse(Lane& lane, Key key, std::vector<Refused>& refused) {
  Waiting waiting = Take(lane, key);
  refused.push_back({.job = std::move(waiting.job), .purpose = waiting.client->purpose_});
}

void FairQueue::RefuseLate(Lane& lane, Clock::time_point now, std::vector<Refused>& refused) const {
  while (!lane.by_age.empty()) {
    const auto [number, start] = *lane.by_age.begin();
    const Key oldest(start, number);
    if (now - lane.waiting.at(oldest).asked <= limits_.longest_wait) return;
    Refuse(lane, oldest, refused);
  }
}

bool FairQueue::HasJobFor(HashPurpose purpose, Thread thread) const {
  const Lane& lane = LaneOf(purpose);
  if (purpose == HashPurpose::kRegistration && lane.running >= limits_.registrations_at_once) {
    return false;
  }
  return thread == Thread::kSpare ? !lane.for_spare.empty() : !lane.waiting.empty();
}

std::optional<HashPurpose> FairQueue::Choose(Thread thread) const {
  const bool has_login = HasJobFor(HashPurpose::kLogin, thread);
  const bool has_registration = HasJobFor(HashPurpose::kRegistration, thread);
  if (!has_login && !has_registration) return std::nullopt;
  if (has_login != has_registration) {
    return has_login ? HashPurpose::kLogin : HashPurpose::kRegistration;
  }
  const std::size_t logins = LaneOf(HashPurpose::kLogin).running;
  const std::size_t registrations = LaneOf(HashPurpose::kRegistration).running;
  if (logins != registrations) {
    return logins < registrations ? HashPurpose::kLogin : HashPurpose::kRegistration;
  }
  return last_started_ == HashPurpose::kLogin ? HashPurpose::kRegistration : HashPurpose::kLogin;
}

}  // namespace platform::security
