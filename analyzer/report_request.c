#include "analyzer/report_request.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/args.h"
#include "analyzer/base/limits.h"
#include "analyzer/base/output.h"
#include "analyzer/commands.h"
#include "analyzer/core/image.h"

enum option_number {
    OPTION_THRESHOLD = OPTION_OTHERS,
    OPTION_MIN_COUNT,
    OPTION_ALL,
    OPTION_EXIT_CODE,
    OPTION_MAX_TASKS,
    OPTION_MAX_MEMORY,
    OPTION_FRAMES,
    OPTION_COLOR,
    OPTION_WATCH,
    OPTION_EXE,
    OPTION_NO_RECORDING,
};

/* With less than that, not even what is asked about a process could be read. */
#define MEMORY_LEAST (UINT64_C(16) << 20)

static bool read_max_memory(struct err *err)
{
    uint64_t bytes;
    if (!args_size("--max-memory", optarg, &bytes, err))
        return false;
    limits_set_memory(bytes);
    return bytes >= MEMORY_LEAST ||
           err_set(err, ERR_USAGE, "--max-memory", "has to be 16M or more");
}

static bool read_option(struct request *request, int option, char **argv, struct err *err)
{
    switch (option) {
    case OPTION_THRESHOLD:
        request->has_threshold = true;
        return args_duration("--threshold", optarg, &request->report.threshold_ns, err);
    case OPTION_WATCH:
        return args_duration("--watch", optarg, &request->watch_ns, err) &&
               (request->watch_ns > 0 || err_set(err, ERR_USAGE, "--watch", "has to be above 0"));
    case OPTION_EXE:
        request->exe = optarg;
        return true;
    case OPTION_NO_RECORDING:
        request->no_recording = true;
        return true;
    case OPTION_FORMAT:
        request->format = report_format_find(optarg);
        return request->format || err_set(err, ERR_USAGE, "--format", "no such format: %s", optarg);
    case OPTION_MIN_COUNT:
        return args_count("--min-count", optarg, 0, &request->report.min_count, err);
    case OPTION_MAX_TASKS:
        return args_count("--max-tasks", optarg, 0, &request->verdict.max_tasks, err);
    case OPTION_MAX_MEMORY:
        return read_max_memory(err);
    case OPTION_FRAMES:
        return args_count("--frames", optarg, 1, &request->report.frames, err);
    case OPTION_ALL:
        request->report.all = true;
        return true;
    case OPTION_EXIT_CODE:
        request->exit_code = true;
        return true;
    case OPTION_COLOR:
        request->color = optarg;
        return true;
    case OPTION_HELP:
    case OPTION_VERSION:
        request->ask = option;
        return true;
    case 'o':
    case OPTION_OUTPUT:
        request->output = optarg;
        return true;
    default:
        return command_bad_option(err, argv, option);
    }
}

bool report_request_is_pid(const char *source)
{
    return source[0] != '\0' && source[strspn(source, "0123456789")] == '\0';
}

bool report_request_read(struct request *request, int argc, char **argv, struct err *err)
{
    static const struct option options[] = {
        {"threshold", required_argument, NULL, OPTION_THRESHOLD},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"output", required_argument, NULL, OPTION_OUTPUT},
        {"min-count", required_argument, NULL, OPTION_MIN_COUNT},
        {"all", no_argument, NULL, OPTION_ALL},
        {"exit-code", no_argument, NULL, OPTION_EXIT_CODE},
        {"max-tasks", required_argument, NULL, OPTION_MAX_TASKS},
        {"max-memory", required_argument, NULL, OPTION_MAX_MEMORY},
        {"frames", required_argument, NULL, OPTION_FRAMES},
        {"exe", required_argument, NULL, OPTION_EXE},
        {"no-recording", no_argument, NULL, OPTION_NO_RECORDING},
        {"watch", required_argument, NULL, OPTION_WATCH},
        {"color", required_argument, NULL, OPTION_COLOR},
        COMMAND_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    *request = (struct request){
        .report = {.threshold_ns = INT64_C(10000000000), .min_count = 1, .frames = 8},
        .verdict = {.max_tasks = 100},
        .format = &report_formats[0],
    };
    int option;
    while ((option = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (!read_option(request, option, argv, err))
            return false;
    }
    if (request->ask)
        return true;
    if (optind < argc)
        request->source = argv[optind++];
    if (optind < argc)
        return err_set(err, ERR_USAGE, argv[optind], "is one source too many");
    bool file = request->source && !report_request_is_pid(request->source);
    if (request->no_recording && (file || !request->source))
        return err_set(err, ERR_USAGE, "--no-recording", "is for a process: name it by its number");
    bool core = file && image_is_core(request->source);
    /* Of a file that cannot be read, that is what is wrong, and said when it is opened. */
    if (request->exe && !core && !(file && access(request->source, R_OK) != 0))
        return err_set(err, ERR_USAGE, "--exe", "is for cores: a process says itself what it runs");
    if (request->watch_ns && core)
        return err_set(err, ERR_USAGE, "--watch", "nothing moves in a core");
    bool unused;
    return output_check(request->output, err) &&
           output_colour(request->color, stdout, &unused, err);
}
