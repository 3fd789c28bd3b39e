#include "probes/metadata.h"

namespace muster::probes {

Reading<Identity> read_identity(MetadataService& service, Deadline deadline) {
    const auto document = service.read("dynamic/instance-identity/document", deadline);
    if (!document) return std::unexpected(document.error());
    return as_reading(parse_identity(*document));
}

Reading<Mapping> read_mapping(MetadataService& service, Deadline deadline) {
    const std::string folder = "meta-data/block-device-mapping/";
    const auto listing = service.read(folder, deadline);
    if (!listing) return std::unexpected(listing.error());
    const auto names = as_reading(parse_mapping_names(*listing));
    if (!names) return std::unexpected(names.error());
    Mapping mapping;
    for (const auto& name : *names) {
        const auto body = service.read(folder + name, deadline);
        if (!body) {
            auto error = body.error();
            // The list named it a moment ago, so this is no answer about the mapping as a whole.
            if (error.error.code == Errc::absent) error.error.code = Errc::conflict;
            return std::unexpected(std::move(error));
        }
        auto device = as_reading(parse_mapping_device(*body));
        if (!device) return std::unexpected(device.error());
        mapping.emplace(name, std::move(*device));
    }
    return mapping;
}

Metadata read_metadata(MetadataService& service, Clock& clock, const MetadataRules& rules,
                       Deadline deadline, std::uint64_t seed, const WaitNotice& notice,
                       const Witnesses& witnesses, const std::optional<KnownMetadata>& known) {
    const Instant start = clock.now();
    Recipe<Identity> of_identity{&read_identity, rules.need(), witnesses.identity};
    Recipe<Mapping> of_mapping{&read_mapping, rules.need(), witnesses.mapping};
    if (known) {
        of_identity.known = known->identity;
        of_mapping.known = known->mapping;
    }
    Pursuit<Identity> identity(std::move(of_identity), start, seed);
    Pursuit<Mapping> mapping(std::move(of_mapping), start, seed + 1);
    pursue({&identity, &mapping}, service, clock, deadline, notice);
    return {identity.answer(), mapping.answer()};
}

} // namespace muster::probes
