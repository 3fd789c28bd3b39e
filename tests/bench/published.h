// The four rows of measurements that were published in 2012 (docs/tune.md), as distributions.
#pragma once

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace muster::published {

struct Row {
    std::string name;
    unsigned count = 0;
    double least = 0, mean = 0, deviation = 0;
    std::vector<double> largest; ///< the longest ones, each as it was
    /// A little more than so many are the tail, which is left to the deadline.
    static constexpr double left_to_the_deadline = 0.005;
};

inline const std::array<Row, 4>& rows() {
    static const std::array<Row, 4> all = {
        Row{"create instance",
            2599,
            16.574,
            29.872,
            9.854,
            {84.07, 86.44, 87.43, 87.98, 91.11, 100.62, 101.63, 102.00, 197.35, 348.94}},
        Row{"delete instance",
            2597,
            31.346,
            49.215,
            13.622,
            {154.01, 154.15, 154.16, 154.33, 154.55, 155.64, 155.92, 157.31, 160.36, 173.00}},
        Row{"create volume", 1015, 0.0857, 2.017, 8.727, {155.98, 156.39, 158.12}},
        Row{"attach volume", 1015, 8.684, 13.554, 51.138, {64.78, 80.98, 100.66, 419.02, 1583.65}}};
    return all;
}

/// All but the largest as a lognormal distribution above the least, with the mean and the deviation
/// that all of them together need; the largest as they are.
class Fit {
  public:
    explicit Fit(const Row& row) : row_(row) {
        const auto n = static_cast<double>(row.count);
        const auto tail = static_cast<double>(row.largest.size());
        double sum = n * row.mean;
        double squares = n * (row.deviation * row.deviation + row.mean * row.mean);
        for (const double value : row.largest) {
            sum -= value;
            squares -= value * value;
        }
        body_ = (n - tail) / n;
        const double mean = sum / (n - tail);
        const double variance = squares / (n - tail) - mean * mean;
        const double above = mean - row.least;
        const double sigma2 = std::log(1 + variance / (above * above));
        sigma_ = std::sqrt(sigma2);
        mu_ = std::log(above) - sigma2 / 2;
    }

    [[nodiscard]] const Row& row() const { return row_; }

    /// The share that takes longer than `seconds`.
    [[nodiscard]] double waiting(double seconds) const {
        double share = body_;
        if (seconds > row_.least) {
            const double z = (std::log(seconds - row_.least) - mu_) / sigma_;
            share = body_ * std::erfc(z / std::sqrt(2.0)) / 2;
        }
        for (const double value : row_.largest)
            share += value > seconds ? (1 - body_) / static_cast<double>(row_.largest.size()) : 0;
        return share;
    }

    template <class Random>
    [[nodiscard]] double draw(Random& random) const {
        std::uniform_real_distribution<double> even(0, 1);
        if (even(random) >= body_) {
            return row_.largest[static_cast<std::size_t>(even(random) *
                                                         static_cast<double>(row_.largest.size()))];
        }
        return row_.least + std::lognormal_distribution<double>(mu_, sigma_)(random);
    }

    /// The time after which `share` still waits.
    [[nodiscard]] double time_of(double share) const {
        double low = 0;
        double high = 4000;
        for (int i = 0; i < 100; ++i)
            (waiting((low + high) / 2) > share ? low : high) = (low + high) / 2;
        return high;
    }

  private:
    Row row_;
    double body_ = 1, mu_ = 0, sigma_ = 1;
};

} // namespace muster::published
