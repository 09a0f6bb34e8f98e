/* A disk that keeps what was synced and nothing else. For LD_PRELOAD. At each sync of a file below FAXGATE_DISK its bytes
 * go to FAXGATE_KEPT/<inode>, at each sync of a folder its names to FAXGATE_KEPT/<inode>.names, each with its inode, and
 * those of folders with a slash. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void copy(const char *from, int to) {
    char piece[1 << 16];
    ssize_t length;
    int file = open(from, O_RDONLY | O_CLOEXEC);
    if (file < 0) abort();
    while ((length = read(file, piece, sizeof piece)) > 0)
        if (write(to, piece, length) != length) abort();
    close(file);
}

static void list(const char *folder, int to) {
    DIR *open = opendir(folder);
    if (!open) abort();
    for (struct dirent *entry; (entry = readdir(open));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            dprintf(to, "%lu %s%s\n", entry->d_ino, entry->d_name, entry->d_type == DT_DIR ? "/" : "");
    closedir(open);
}

static void keep(int file) {
    const char *disk = getenv("FAXGATE_DISK"), *kept = getenv("FAXGATE_KEPT");
    char self[64], path[PATH_MAX], name[PATH_MAX], fresh[PATH_MAX];
    struct stat found;
    snprintf(self, sizeof self, "/proc/self/fd/%d", file);
    ssize_t length = readlink(self, path, sizeof path - 1);
    if (!disk || !kept || length < 0 || fstat(file, &found)) return;
    path[length] = 0;
    if (strncmp(path, disk, strlen(disk))) return;
    snprintf(name, sizeof name, "%s/%lu%s", kept, found.st_ino, S_ISDIR(found.st_mode) ? ".names" : "");
    snprintf(fresh, sizeof fresh, "%s/%lu.%d.new", kept, found.st_ino, gettid());
    int to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) abort();
    S_ISDIR(found.st_mode) ? list(self, to) : copy(self, to);
    close(to);
    if (rename(fresh, name)) abort();
}

int fsync(int file) {
    int failed = syscall(SYS_fsync, file);
    if (!failed) keep(file);
    return failed;
}

int fdatasync(int file) {
    int failed = syscall(SYS_fdatasync, file);
    if (!failed) keep(file);
    return failed;
}
