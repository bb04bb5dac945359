# Directories and files by .NET, whose paths know no wildcards.

function New-Folder {
    param([string]$Path)
    [void][IO.Directory]::CreateDirectory($Path)
}

# Only what is empty, with what is empty in it: nothing that somebody else put there. Of a mounted folder the mount point
# goes, and nothing of what is mounted:
# https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-removedirectoryw
function Remove-EmptyFolder {
    param([string]$Path)
    if (-not [IO.Directory]::Exists($Path)) {
        return
    }
    if (Test-MountPoint -Path $Path) {
        return
    }
    foreach ($child in [IO.Directory]::GetDirectories($Path)) {
        Remove-EmptyFolder -Path $child
    }
    if ([IO.Directory]::GetFileSystemEntries($Path).Length -eq 0) {
        [IO.Directory]::Delete($Path)
    }
}

function Test-MountPoint {
    param([string]$Path)
    return ([IO.File]::GetAttributes($Path) -band [IO.FileAttributes]::ReparsePoint) -ne 0
}

# A file that was made under another name appears whole under its own. FlushFileBuffers (which Flush(true) is) makes the
# file durable, and the rename before it with it, since NTFS writes its log up to there: the second half is a guess.
# https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-flushfilebuffers
function Complete-File {
    param([string]$From, [string]$To)
    [IO.File]::Move($From, $To)
    Sync-File -Path $To
}

function Sync-File {
    param([string]$Path)
    $file = New-Object -TypeName IO.FileStream -ArgumentList @(
        $Path, [IO.FileMode]::Open, [IO.FileAccess]::ReadWrite, [IO.FileShare]::Read)
    try {
        $file.Flush($true)
    }
    finally {
        $file.Dispose()
    }
}

# The machine's own account: as its worker process is it, and VMMS gives it rights on disks when they are attached, but
# not on what takes a parent's place afterwards.
# https://learn.microsoft.com/troubleshoot/windows-server/virtualization/hyper-v-snapshots-checkpoints-differencing-disks
function Grant-MachineAccess {
    param([string]$Path, [string]$VmId)
    $account = 'NT VIRTUAL MACHINE\' + $VmId.ToUpperInvariant()
    $rule = New-Object -TypeName Security.AccessControl.FileSystemAccessRule -ArgumentList @(
        $account, [Security.AccessControl.FileSystemRights]::FullControl,
        [Security.AccessControl.AccessControlType]::Allow)
    $security = [IO.File]::GetAccessControl($Path)
    $security.AddAccessRule($rule)
    [IO.File]::SetAccessControl($Path, $security)
}

function Test-Inside {
    param([string]$Path, [string]$Directory)
    return $Path.StartsWith($Directory + '\', [StringComparison]::OrdinalIgnoreCase)
}

# Names are compared as Windows does, and every file stands in the directory that it was said to be in.
function Remove-FilesInside {
    param($Paths, [string]$Directory)
    $removed = 0
    foreach ($path in $Paths) {
        if (-not (Test-Inside -Path $path -Directory $Directory)) {
            Stop-Operation -Code 'identity_conflict' -Message "$path is not in $Directory"
        }
        if ([IO.File]::Exists($path)) {
            [IO.File]::Delete($path)
            $removed = $removed + 1
        }
    }
    return $removed
}
