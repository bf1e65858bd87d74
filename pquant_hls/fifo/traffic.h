// A stream for csim that notes who reads and who writes it, in which order. Written into a private copy of a project
// in place of the tool's header; the project itself is not touched. PQUANT_TRAFFIC is the path of what it writes.
#ifndef X_HLS_STREAM_SIM_H
#define X_HLS_STREAM_SIM_H

#include <cstdint>
#include <cstdio>
#include <deque>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace hls {

struct pquant_traffic {
    std::vector<int32_t> events; // task, stream, 0 for a read and 1 for a write
    std::map<std::string, int32_t> streams;
    int32_t task = -1;

    int32_t number(const std::string &name) {
        return streams.insert(std::make_pair(name, (int32_t)streams.size())).first->second;
    }
    void note(int32_t stream, int32_t writes) {
        if (stream >= 0) {
            events.push_back(task);
            events.push_back(stream);
            events.push_back(writes);
        }
    }
    ~pquant_traffic() {
        if (FILE *out = fopen(PQUANT_TRAFFIC ".names", "w")) {
            for (auto &entry : streams)
                fprintf(out, "%d %s\n", entry.second, entry.first.c_str());
            fclose(out);
        }
        if (FILE *out = fopen(PQUANT_TRAFFIC, "wb")) {
            fwrite(events.data(), sizeof(int32_t), events.size(), out);
            fclose(out);
        }
    }
};

inline pquant_traffic &traffic() {
    static pquant_traffic all;
    return all;
}

template <typename T> class stream {
    std::deque<T> data;
    int32_t mine;

  public:
    stream() : mine(-1) {}
    stream(const std::string name) : mine(traffic().number(name)) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;

    bool empty() { return data.empty(); }
    bool full() const { return false; }
    size_t size() { return data.size(); }

    T read() {
        traffic().note(mine, 0);
        if (data.empty()) {
            std::cout << "ERROR: a stream is read while empty" << std::endl;
            return T();
        }
        T head = data.front();
        data.pop_front();
        return head;
    }
    void read(T &head) { head = read(); }
    void write(const T &tail) {
        traffic().note(mine, 1);
        data.push_back(tail);
    }
    bool read_nb(T &head) {
        if (data.empty())
            return false;
        head = read();
        return true;
    }
    bool write_nb(const T &tail) {
        write(tail);
        return true;
    }
    void operator>>(T &head) { read(head); }
    void operator<<(const T &tail) { write(tail); }
};

} // namespace hls

#endif
