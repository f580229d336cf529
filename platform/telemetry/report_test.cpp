#include "platform/telemetry/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace platform::telemetry {
namespace {

using testing::HasSubstr;

constexpr Metric kSold{"books_sold_total", "Books sold."};
constexpr Metric kShelves{"shelves", "Shelves there are."};
constexpr Metric kReading{"reading_duration_seconds", "Time to read a book."};
constexpr Metric kParcels{"parcel_books", "Books in a parcel."};

TEST(Report, WritesPrometheusText) {
  Counter sold;
  sold.Add(7);
  Gauge shelves;
  shelves.Add(-2);
  Report report;
  report.AddCounter(kSold, {{"kind", "novel"}, {"place", "shop"}}, sold);
  report.AddGauge(kShelves, {}, shelves);
  EXPECT_EQ(report.Text(),
            "# HELP books_sold_total Books sold.\n"
            "# TYPE books_sold_total counter\n"
            "books_sold_total{kind=\"novel\",place=\"shop\"} 7\n"
            "# HELP shelves Shelves there are.\n"
            "# TYPE shelves gauge\n"
            "shelves -2\n");
}

TEST(Report, WritesHistogramsCumulatively) {
  Histogram parcels(kSizes);
  for (const unsigned size : {1U, 2U, 2U, 5000U}) parcels.Observe(std::uint64_t{size});
  Report report;
  report.AddHistogram(kParcels, {}, parcels);
  const std::string text = report.Text();
  EXPECT_THAT(text,
              HasSubstr("# TYPE parcel_books histogram\n"
                        "parcel_books_count 4\nparcel_books_sum 5005\n"
                        "parcel_books_bucket{le=\"1\"} 1\nparcel_books_bucket{le=\"2\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("parcel_books_bucket{le=\"1024\"} 3\n"
                              "parcel_books_bucket{le=\"+Inf\"} 4\n"));
}

TEST(Report, WritesDurationsInSeconds) {
  Histogram reading;
  reading.Observe(std::chrono::milliseconds(250));
  Report report;
  report.AddHistogram(kReading, {}, reading);
  const std::string text = report.Text();
  EXPECT_THAT(text, HasSubstr("reading_duration_seconds_sum 0.25\n"));
  EXPECT_THAT(text, HasSubstr("{le=\"0.0001\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("{le=\"0.25\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{le=\"10\"} 1\n"));
}

TEST(Report, AddsUpWhatWorkersCounted) {
  Histogram first(kSizes);
  Histogram second(kSizes);
  first.Observe(std::uint64_t{1});
  second.Observe(std::uint64_t{2});
  Report report;
  for (const Histogram* histogram : {&first, &second}) {
    report.AddCounter(kSold, {{"kind", "novel"}}, 2);
    report.AddGauge(kShelves, {}, 3);
    report.AddHistogram(kParcels, {}, *histogram);
  }
  report.AddCounter(kSold, {{"kind", "atlas"}}, 1);
  const std::string text = report.Text();
  EXPECT_THAT(text, HasSubstr("books_sold_total{kind=\"atlas\"} 1\n"
                              "books_sold_total{kind=\"novel\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("shelves 6\n"));
  EXPECT_THAT(text,
              HasSubstr("parcel_books_count 2\nparcel_books_sum 3\n"
                        "parcel_books_bucket{le=\"1\"} 1\nparcel_books_bucket{le=\"2\"} 2\n"));
}

TEST(Report, EscapesLabels) {
  Report report;
  report.AddGauge(kShelves, {{"name", "a\"b\\c\nd"}}, 1);
  EXPECT_THAT(report.Text(), HasSubstr(R"(shelves{name="a\"b\\c\nd"} 1)"));
}

TEST(Report, RefusesAMetricOfTwoTypes) {
  Report report;
  report.AddGauge(kShelves, {}, 1);
  EXPECT_THROW(report.AddCounter(kShelves, {}, 1), std::logic_error);
}

}  // namespace
}  // namespace platform::telemetry
