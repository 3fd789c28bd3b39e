#include <atomic>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "agent/sys/digest.h"
#include "tests/catch.h"

using namespace muster;

TEST_CASE("digest: the published examples") {
    // FIPS 180-2, B.1
    CHECK(to_hex(sha256("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231, 4.3
    CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("digest: the program may end while a thread hashes") {
    for (int i = 0; i < 50; ++i) {
        const pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            alarm(60);
            static std::atomic<bool> hashes = false;
            std::thread([] {
                while (true) {
                    (void)sha256("x");
                    hashes = true;
                }
            }).detach();
            while (!hashes)
                std::this_thread::yield();
            std::exit(7); // as at the end of main
        }
        int status = 0;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 7);
    }
}
