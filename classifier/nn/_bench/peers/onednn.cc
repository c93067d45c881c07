// oneDNN's bidirectional LSTM for the benchmark: prints packets per second of training (forward and backward primitives, no
// output layer, loss or Adam) and inference as JSON. Weights are in the layouts that oneDNN prefers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

using namespace dnnl;
using md = memory::desc;
using tag = memory::format_tag;

static engine eng(engine::kind::cpu, 0);
static stream strm(eng);

static memory filled(const md &d) {
    memory m(d, eng);
    float *p = static_cast<float *>(m.get_data_handle());
    for (size_t i = 0; i < d.get_size() / sizeof(float); i++) p[i] = float(int(i % 17) - 8) / 170;
    return m;
}

int main(int argc, char **argv) {
    const int layers = std::atoi(argv[1]);
    const double seconds = std::atof(argv[2]);
    const bool cpu = std::string(argv[3]) == "cpu";
    const memory::dim T = 64, N = 64, I = 16, H = 128;
    const auto f32 = memory::data_type::f32;
    const auto dir = rnn_direction::bidirectional_concat;

    // layers of one primitive have equal input sizes: the first is one of its own
    struct Layer {
        memory::dim in;
        std::unordered_map<int, memory> args;
        lstm_forward train, infer;
        lstm_backward back;
    };
    std::vector<Layer> net;
    auto any = [&](memory::dims d) { return md(d, f32, tag::any); };
    md none;
    for (int l = 0; l < layers; l++) {
        const memory::dim in = l ? 2 * H : I;
        md src({T, N, in}, f32, tag::tnc), dst({T, N, 2 * H}, f32, tag::tnc);
        md wx = any({1, 2, in, 4, H}), wh = any({1, 2, H, 4, H}), bias({1, 2, 4, H}, f32, tag::ldgo);
        lstm_forward::primitive_desc fp({prop_kind::forward_training, dir, src, none, none, wx, wh, bias, dst, none, none}, eng);
        lstm_forward::primitive_desc ip({prop_kind::forward_inference, dir, src, none, none, wx, wh, bias, dst, none, none}, eng);
        lstm_backward::primitive_desc bp({prop_kind::backward, dir, src, none, none, wx, wh, bias, dst, none, none, src, none, none,
                                             any({1, 2, in, 4, H}), any({1, 2, H, 4, H}), bias, dst, none, none},
            eng, fp);
        Layer y;
        y.in = in;
        y.train = lstm_forward(fp);
        y.infer = lstm_forward(ip);
        y.back = lstm_backward(bp);
        y.args = {
            {DNNL_ARG_SRC_LAYER, filled(src)},
            {DNNL_ARG_WEIGHTS_LAYER, filled(fp.weights_layer_desc())},
            {DNNL_ARG_WEIGHTS_ITER, filled(fp.weights_iter_desc())},
            {DNNL_ARG_BIAS, filled(bias)},
            {DNNL_ARG_DST_LAYER, filled(dst)},
            {DNNL_ARG_WORKSPACE, memory(fp.workspace_desc(), eng)},
            {DNNL_ARG_DIFF_SRC_LAYER, filled(src)},
            {DNNL_ARG_DIFF_WEIGHTS_LAYER, filled(bp.diff_weights_layer_desc())},
            {DNNL_ARG_DIFF_WEIGHTS_ITER, filled(bp.diff_weights_iter_desc())},
            {DNNL_ARG_DIFF_BIAS, filled(bias)},
            {DNNL_ARG_DIFF_DST_LAYER, filled(dst)},
        };
        // forward and backward may prefer different layouts of the weights: each gets its own
        y.args[-1] = filled(bp.weights_layer_desc());
        y.args[-2] = filled(bp.weights_iter_desc());
        y.args[-3] = filled(ip.weights_layer_desc());
        y.args[-4] = filled(ip.weights_iter_desc());
        net.push_back(y);
    }
    auto with = [](const Layer &y, int wx, int wh) {
        std::unordered_map<int, memory> a;
        for (auto &p : y.args)
            if (p.first > 0) a.insert(p);
        a[DNNL_ARG_WEIGHTS_LAYER] = y.args.at(wx);
        a[DNNL_ARG_WEIGHTS_ITER] = y.args.at(wh);
        return a;
    };
    struct Args { std::unordered_map<int, memory> forward, backward, infer; };
    std::vector<Args> args;
    for (auto &y : net) args.push_back({with(y, DNNL_ARG_WEIGHTS_LAYER, DNNL_ARG_WEIGHTS_ITER), with(y, -1, -2), with(y, -3, -4)});

    auto rate = [&](auto f) {
        using clock = std::chrono::steady_clock;
        f();
        std::vector<double> took;
        auto end = clock::now() + std::chrono::duration<double>(seconds);
        while (clock::now() < end) {
            auto t = clock::now();
            auto used = std::clock();
            f();
            took.push_back(cpu ? double(std::clock() - used) / CLOCKS_PER_SEC : std::chrono::duration<double>(clock::now() - t).count());
        }
        std::sort(took.begin(), took.end());
        took.resize(std::max<size_t>(took.size() / 5, 1));
        double sum = 0;
        for (double t : took) sum += t;
        return T * N * took.size() / sum;
    };
    double training = rate([&] {
        for (size_t l = 0; l < net.size(); l++) net[l].train.execute(strm, args[l].forward);
        for (size_t l = net.size(); l-- > 0;) net[l].back.execute(strm, args[l].backward);
        strm.wait();
    });
    double inference = rate([&] {
        for (size_t l = 0; l < net.size(); l++) net[l].infer.execute(strm, args[l].infer);
        strm.wait();
    });
    std::printf("{\"training\": %f, \"inference\": %f}\n", training, inference);
}
