// The parts of fmt that are not templates, compiled once. Debian's libfmt-dev has no static library
// of them, and FMT_HEADER_ONLY compiles them in every source file: a third of all our compiling
// (measured).
#include <fmt/format-inl.h>
#include <fmt/format.h>

// What <fmt/format.h> promises to be instantiated elsewhere; a missing one is an error of the
// linker.
namespace fmt::detail {
template dragonbox::decimal_fp<double> dragonbox::to_decimal(double) noexcept;
template dragonbox::decimal_fp<float> dragonbox::to_decimal(float) noexcept;
template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);
template char decimal_point_impl(locale_ref);
template void buffer<char>::append(const char*, const char*);
template void vformat_to(buffer<char>&, string_view, basic_format_args<buffer_context<char>>,
                         locale_ref);
} // namespace fmt::detail
